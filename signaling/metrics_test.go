package signaling

// This file tests what clients' reports become for the operator.

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestSetupTime: mediaConnected.setupMs is a histogram in seconds, by path.
func TestSetupTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		w := newWorld(t, func(_ *Config, d *Deps) { d.Metrics = registry })
		a, b := w.join("Ann"), w.join("Bob")
		connect(a, b)
		for _, report := range []string{
			`{"type":"mediaConnected","path":"direct","candidateType":"host","protocol":"udp","setupMs":420}`,
			`{"type":"mediaConnected","path":"direct","setupMs":60000}`,
			`{"type":"mediaConnected","path":"direct","setupMs":-1}`,
			`{"type":"mediaConnected","path":"direct"}`,
		} {
			a.send(report)
		}
		a.send(`{"type":"ping"}`)
		a.expect("pong")
		want := `# HELP duet_signaling_setup_seconds Time from acceptance to media as clients report it.
# TYPE duet_signaling_setup_seconds histogram
duet_signaling_setup_seconds_bucket{path="direct",le="0.05"} 0
duet_signaling_setup_seconds_bucket{path="direct",le="0.1"} 0
duet_signaling_setup_seconds_bucket{path="direct",le="0.2"} 0
duet_signaling_setup_seconds_bucket{path="direct",le="0.4"} 0
duet_signaling_setup_seconds_bucket{path="direct",le="0.8"} 1
duet_signaling_setup_seconds_bucket{path="direct",le="1.6"} 1
duet_signaling_setup_seconds_bucket{path="direct",le="3.2"} 1
duet_signaling_setup_seconds_bucket{path="direct",le="6.4"} 1
duet_signaling_setup_seconds_bucket{path="direct",le="12.8"} 1
duet_signaling_setup_seconds_bucket{path="direct",le="25.6"} 1
duet_signaling_setup_seconds_bucket{path="direct",le="+Inf"} 2
duet_signaling_setup_seconds_sum{path="direct"} 60.42
duet_signaling_setup_seconds_count{path="direct"} 2
`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "duet_signaling_setup_seconds"); err != nil {
			t.Error(err)
		}
	})
}
