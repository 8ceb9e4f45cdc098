//go:build linux

package calls

// How long calls take to come up.

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"duet/internal/natlab"
)

// setups are the ways to come up, and the time from accepting to the first picture at both that the median call may take.
var setups = []struct {
	name     string
	settings []string
	Scenario
	limit time.Duration
}{
	{"direct", nil, Scenario{A: natlab.Home, B: natlab.Home}, 700 * time.Millisecond},
	{"TURN over UDP", nil, Scenario{A: natlab.Office, B: natlab.Office}, time.Second},
	{"TURN over TLS on port 443", nil, Scenario{A: natlab.Port443, B: natlab.Home}, 1500 * time.Millisecond},
	{"the relay from the start", []string{"relay.mode=always"}, Scenario{A: natlab.Home, B: natlab.Home, Want: relay}, time.Second},
	{"the relay, 2 s after a direct way was not found", []string{"turn.enabled=false", "relay.fallback_after=2s"},
		Scenario{A: natlab.Office, B: natlab.Office, Want: relay}, 2*time.Second + 2*time.Second},
}

// TestSetup: how long it takes from accepting a call to seeing each other. The limits are those of an idle machine.
func TestSetup(t *testing.T) {
	calls := 7
	if !all() {
		calls = 3
	}
	var b strings.Builder
	b.WriteString("From accepting the call to the first picture at both.\n\n| path | calls | median | fastest | slowest | allowed | |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, s := range setups {
		t.Run(s.name, func(t *testing.T) {
			w := NewWorld(t, WorldOptions{Settings: s.settings})
			var times []time.Duration
			s.Watch = time.Second
			for range calls {
				r := s.Run(w)
				if r.Fault != "" {
					t.Fatal(r.Fault)
				}
				times = append(times, r.setup())
			}
			slices.Sort(times)
			median := times[len(times)/2]
			t.Logf("%v, median %v", times, median)
			verdict := "ok"
			if median > s.limit {
				verdict = "**slow**"
			}
			if median > time.Duration(w.slack)*s.limit {
				t.Errorf("the median call took %v, want at most %v", median, s.limit)
			}
			fmt.Fprintf(&b, "| %s | %d | %d ms | %d ms | %d ms | %d ms | %s |\n", s.name, len(times), median.Milliseconds(),
				times[0].Milliseconds(), times[len(times)-1].Milliseconds(), s.limit.Milliseconds(), verdict)
		})
	}
	t.Log("\n" + b.String())
	if err := writeResults("Setting up a call", b.String()); err != nil {
		t.Error(err)
	}
}
