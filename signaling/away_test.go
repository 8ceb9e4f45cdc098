package signaling

// How long a session waits, by how its connection ended.

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestWhoGoesAway: of a page that is closed or loaded anew the session waits for a moment only.
func TestWhoGoesAway(t *testing.T) {
	for _, c := range []struct {
		code    int
		graces  time.Duration
		resumes bool
	}{{1001, 0, true}, {1001, 10 * time.Second, false}, {1006, 30 * time.Second, false}, {4321, 30 * time.Second, false}, {1000, 0, false}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			a, b := w.join("Ann", "resume"), w.join("Bob", "resume")
			connect(a, b)
			a.latest()
			b.latest()
			if c.code == 1006 {
				a.raw.Close()
			} else {
				a.ws.WriteControl(8, closeFrame(c.code), time.Now().Add(time.Second))
			}
			began := time.Now()
			if c.resumes {
				time.Sleep(9 * time.Second)
				w.resumes(a, 1)
				b.nothing(time.Minute)
				return
			}
			if m := b.expectAfter("callEnded", time.Hour); m.str("reason") != "disconnected" || time.Since(began) != c.graces {
				t.Errorf("%d: after %s: %v", c.code, time.Since(began), m)
			}
		})
	}
}

func closeFrame(code int) []byte { return []byte{byte(code >> 8), byte(code)} }
