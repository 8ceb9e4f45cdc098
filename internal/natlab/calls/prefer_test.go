//go:build linux

package calls

// relay.mode: prefer.

import (
	"testing"

	"duet/internal/natlab"
)

// TestRelayPreferred: where the operator prefers the relay, calls that would have gone by TURN go by the relay, those that
// can go direct do.
func TestRelayPreferred(t *testing.T) {
	settings := []string{"relay.mode=prefer", "relay.fallback_after=2s"}
	runAll(t, serverCase{
		name:  "The relay preferred to TURN",
		world: WorldOptions{Settings: settings},
		scenarios: []Scenario{
			{A: natlab.Office, B: natlab.Office, Want: relay},
			{A: natlab.UDPBlocked, B: natlab.Home, Want: relay},
			{A: natlab.Home, B: natlab.Home, Want: direct},
			{A: natlab.Port443, B: natlab.Home, Want: relay}, // through TURN, where nothing else leads to it
		},
	})
}
