package signaling

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// leavesBehind joins from an address and cuts the connection, so that a session waits.
func (w *world) leavesBehind(ip, name string) *client {
	w.t.Helper()
	c := w.dial(fromIP(ip))
	c.name = name
	c.joins(name, "resume", "presence-none")
	c.raw.Close()
	synctest.Wait()
	return c
}

// kept is how many bytes sessions keep, by what each says and by the sum.
func (h *Hub) keptBytes() (each, sum int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.sessions {
		each += s.outboxBytes
	}
	return each, h.absent.kept
}

// TestAbsentOfOneAddress: an address has no more sessions that wait than it may have connections, and the newest stay.
func TestAbsentOfOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.MaxConnectionsPerIP = 4 })
		other := w.leavesBehind("203.0.113.8", "other")
		var all []*client
		for i := range 50 {
			all = append(all, w.leavesBehind("203.0.113.9", fmt.Sprint("ghost", i)))
		}
		w.hub.mu.Lock()
		n := len(w.hub.sessions)
		w.hub.mu.Unlock()
		if n != 5 {
			t.Errorf("%d sessions are left, want 4 and 1 of another address", n)
		}
		for _, c := range []*client{all[48], all[49], other} {
			b, _ := w.resumes(c, 0)
			b.send(`{"type":"ping"}`)
			b.expect("pong")
		}
		late := w.dial()
		late.send(msg{"type": "resume", "session": all[45].session})
		late.refused("session-expired")
		time.Sleep(time.Minute)
		w.hub.mu.Lock()
		defer w.hub.mu.Unlock()
		if a := &w.hub.absent; len(w.hub.sessions) != 3 || a.all.Len() != 0 || len(a.from) != 0 || a.counts.Len() != 0 {
			t.Errorf("%d sessions, of which %d wait", len(w.hub.sessions), a.all.Len())
		}
	})
}

// TestAbsentNeighbours: a provider's customer has a /56, and not 256 times what a /64 may have.
func TestAbsentNeighbours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.MaxConnectionsPerIP = 2 })
		for i := range 40 {
			w.leavesBehind(fmt.Sprintf("2001:db8:0:%x::1", i), fmt.Sprint("ghost", i))
		}
		w.hub.mu.Lock()
		defer w.hub.mu.Unlock()
		if n := len(w.hub.sessions); n != 8 {
			t.Errorf("%d sessions of a /56 wait, want 8", n)
		}
	})
}

// TestKeptInAll: what is kept for everybody together is bounded; those end who have been away longest.
func TestKeptInAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hub.absent.most = 1 << 20
		sdp := strings.Repeat("a", 60<<10)
		var last *client
		for i := range 10 {
			a, b := w.join(fmt.Sprint("a", i), "presence-none"), w.join(fmt.Sprint("b", i), "resume", "presence-none")
			connect(a, b)
			b.raw.Close()
			synctest.Wait()
			for range 4 {
				a.send(msg{"type": "offer", "offer": msg{"type": "offer", "sdp": sdp}})
				a.send(`{"type":"ping"}`)
				a.expectSkipping("pong", "error", "callEnded")
			}
			if each, sum := w.hub.keptBytes(); each != sum || sum > 1<<20 {
				t.Fatalf("%d bytes are kept, %d are counted", each, sum)
			}
			last = b
		}
		if _, welcome := w.resumes(last, 0); !welcome.flag("resumed") {
			t.Errorf("got %v", welcome)
		}
		time.Sleep(time.Minute)
		w.hub.mu.Lock()
		for _, s := range w.hub.sessions {
			s.acknowledge(s.sentSeq)
		}
		w.hub.mu.Unlock()
		if each, sum := w.hub.keptBytes(); each != 0 || sum != 0 {
			t.Errorf("%d bytes are kept, %d are counted", each, sum)
		}
	})
}
