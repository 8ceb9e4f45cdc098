package e2e

// What a call is worth through the relay, beside the direct path.

import (
	"os"
	"testing"
	"time"
)

// quality is what one end of a call had of the other in a while.
type quality struct {
	sent, frames, freezes int // pictures that the other end encoded, and those decoded here
	energy, rtt           float64
}

// share is how many of the other end's pictures came.
func (q quality) share() float64 { return float64(q.frames) / float64(q.sent) }

func TestRelayedAsDirect(t *testing.T) {
	if os.Getenv("DUET_TEST_ALL") == "" {
		t.Skip("takes two minutes: DUET_TEST_ALL=1")
	}
	for _, tc := range []struct {
		name  string
		other func(testing.TB, *Server, string, BrowserOptions) *Browser
	}{
		{"Chromium and Chromium", StartBrowser},
		{"Chromium and Firefox", StartFirefox},
	} {
		t.Run(tc.name, func(t *testing.T) {
			took := func(path string, settings ...string) (q [2]quality) {
				t.Run(path, func(t *testing.T) {
					s := StartServer(t, settings...)
					q = measure(t, path, StartBrowser(t, s, "alice", BrowserOptions{}), tc.other(t, s, "bob", BrowserOptions{}))
				})
				return q
			}
			direct, relayed := took("direct"), took("relay", "relay.mode=always")
			for i, name := range []string{"alice", "bob"} {
				d, r := direct[i], relayed[i]
				t.Logf("%s: direct %d of %d frames, %d freezes, rtt %.1f ms; relayed %d of %d, %d freezes, rtt %.1f ms",
					name, d.frames, d.sent, d.freezes, 1000*d.rtt, r.frames, r.sent, r.freezes, 1000*r.rtt)
				if r.share() < d.share()-0.02 || float64(r.frames) < 0.98*float64(d.frames) {
					t.Errorf("%s: fewer than 98 %% of the direct path's frames", name)
				}
				if r.freezes > 0 {
					t.Errorf("%s: the picture froze", name)
				}
				if r.energy <= 0.5*d.energy {
					t.Errorf("%s: the sound's energy is %v, that of the direct path %v", name, r.energy, d.energy)
				}
				if r.rtt <= 0 {
					t.Errorf("%s: no report of the other end comes through the relay", name)
				}
			}
		})
	}
}

// measure looks at a running call for 20 s.
func measure(t *testing.T, path string, ends ...*Browser) (q [2]quality) {
	connect(ends[0], ends[1], "")
	look := func(b *Browser) Stats {
		for _, s := range b.Stats() {
			if s.path(b.server.relayPort()) == path && s.InVideo != nil && s.InAudio != nil && s.OutVideo != nil {
				return s
			}
		}
		t.Fatalf("%s: there is no connection on the path %s: %v", b.Name, path, b.Stats())
		return Stats{}
	}
	for _, b := range ends {
		b.Eventually("media takes the path "+path, patience, func() bool { return b.Path() == path })
		b.Sees(60) // and the sender has found its rate
		b.Hears()
	}
	before := []Stats{look(ends[0]), look(ends[1])}
	<-time.After(20 * time.Second)
	after := []Stats{look(ends[0]), look(ends[1])}
	for i := range q {
		q[i] = quality{
			sent:    after[1-i].OutVideo.Frames - before[1-i].OutVideo.Frames,
			frames:  after[i].InVideo.Frames - before[i].InVideo.Frames,
			freezes: after[i].InVideo.Freezes - before[i].InVideo.Freezes,
			energy:  after[i].InAudio.Energy - before[i].InAudio.Energy,
			rtt:     after[i].RTT,
		}
	}
	return q
}
