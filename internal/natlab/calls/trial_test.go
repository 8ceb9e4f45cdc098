//go:build linux

package calls

// The way back to the direct path.

import (
	"testing"
	"time"

	"duet/internal/natlab"
)

// TestBackgroundTrial: a call that had to take a detour goes direct once that way is free. Nothing tells it but its own
// trial every minute, and nobody sees the move.
func TestBackgroundTrial(t *testing.T) {
	if !all() {
		t.Skip("takes three minutes: DUET_TEST_ALL=1")
	}
	for _, tr := range []Transition{
		{Name: "TURN to direct: the way becomes free", First: turn},
		{
			Name: "relay to direct: the way becomes free", First: relay,
			World: WorldOptions{Settings: []string{"relay.mode=prefer", "relay.fallback_after=2s"}},
		},
	} {
		tr.A, tr.B, tr.Then, tr.Limit = natlab.Home, natlab.Home, direct, planned
		tr.Before = func(_ *World, a, b *Person) { a.Net.Block(natlab.Block{Proto: "udp", To: b.Host.Public().String()}) }
		tr.Happens = func(_ *World, a, _ *Person) {
			<-time.After(30 * time.Second) // until what the last trial began has come to nothing
			a.Net.Unblock()
		}
		t.Run(tr.Name, func(t *testing.T) {
			w := NewWorld(t, tr.World)
			m := tr.Run(w)
			if m.Fault != "" {
				t.Error(m.Fault)
				w.Server.tell(t.Name())
			}
			t.Logf("from %s to %s: no new picture for %v / %v; undisturbed %v", m.Was, m.Is, m.Gap[0], m.Gap[1], m.Base)
		})
	}
}
