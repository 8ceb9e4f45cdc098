package signaling

// The paces of joining and ringing by address. Those of one user, and of one who is rung, are in outbox_test.go.

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestJoinsOfAnAddressArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.Burst = 1000 })
		c := w.dial(fromIP("203.0.113.9"))
		for i := range 500 {
			c.send(msg{"type": "join", "username": "relay", "ref": i}) // be they refused or not
			c.refused("bad-username")
		}
		c.send(msg{"type": "join", "username": "Ann"})
		if m := c.refused("rate-limited"); m.num("retryAfterMs") < 1 {
			t.Errorf("got %v", m)
		}
		other := w.dial(fromIP("203.0.113.10"))
		other.joins("Bob")
		time.Sleep(time.Second / 10)
		c.joins("Ann")
		c.ws.Close()
		time.Sleep(time.Second / 2)
		back := w.dial(fromIP("203.0.113.9"))
		back.joins("Ann")
	})
}

func TestRingsOfAnAddressArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var rung []*client
		for i := range 51 {
			c := w.dial(fromIP("198.51.100.1"))
			c.name = fmt.Sprint("to ", i)
			c.joins(c.name, "presence-none")
			rung = append(rung, c)
		}
		passed := 0
		for i := range 101 {
			c := w.dial(fromIP("203.0.113.9"))
			c.joins(fmt.Sprint("from ", i), "presence-none")
			for range 5 {
				to := rung[i/2]
				c.send(msg{"type": "call", "target": to.name})
				synctest.Wait()
				if len(c.in) > 0 {
					c.refused("rate-limited")
					continue
				}
				to.expect("incomingCall")
				c.send(msg{"type": "endCall"})
				to.expect("callEnded")
				passed++
			}
		}
		if passed != 500 {
			t.Errorf("%d calls of one address rang, want 500", passed)
		}
	})
}
