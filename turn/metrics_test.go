package turn

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	cfg := DefaultConfig()
	cfg.Listen, cfg.PublicIP = "127.0.0.1:0", "127.0.0.1"
	s, err := New(cfg, Deps{Secret: []byte(testSecret), Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.stats.drop(dropBudget)
	s.stats.refuse(codeQuota)
	s.stats.up[pathFast].add(1200)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetValue())
			}
			got[f.GetName()+" "+strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"duet_turn_drops_total budget": 1, "duet_turn_refusals_total 486": 1, "duet_turn_packets_total up fast": 1,
		"duet_turn_quota_refusals_total turn.allocations_per_ip": 0, "duet_turn_bytes_total up fast": 1200, "duet_turn_bytes_total down fast": 0, "duet_turn_allocations ipv4 udp": 0,
		"duet_turn_receive_drops_total ": 0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s: got %v, want %v", name, v, want)
		}
	}
	if _, err := New(cfg, Deps{Secret: []byte(testSecret), Metrics: registry}); err == nil {
		t.Error("registered twice")
	}
}
