package signaling

// This file tests that what is kept for a client is bounded, and never has a gap.

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestOutboxFills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.OutboxMessages = 8 })
		a, b := w.join("Ann"), w.join("Bob", "resume")
		connect(a, b) // 1: incomingCall
		for i := range 7 {
			a.send(msg{"type": "mediaStateChange", "audio": i%2 == 0})
		}
		if code := b.closed(); code != 4003 {
			t.Errorf("closed with %d", code)
		}
		b, _ = w.resumes(b, 3)
		b.expect("userList")
		for seq := 4; seq <= 8; seq++ {
			if m := b.next(); m.num("seq") != seq {
				t.Errorf("got %v, want seq %d", m, seq)
			}
		}
		for range 3 {
			a.send(msg{"type": "mediaStateChange", "audio": true})
		}
		if code := b.closed(); code != 4003 {
			t.Errorf("closed with %d", code)
		}
		a.nothing(time.Second)
		a.send(msg{"type": "mediaStateChange", "audio": true}) // one more than fits
		if m := a.expect("callEnded"); m.str("reason") != "disconnected" {
			t.Errorf("got %v", m)
		}
		b2 := w.dial()
		b2.send(msg{"type": "resume", "session": b.session, "ack": 8})
		b2.refused("session-expired")
	})
}

// TestOutboxFillsByBytes: few messages can be too many, too.
func TestOutboxFillsByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.OutboxBytes = 100 << 10 })
		a, b := w.join("Ann"), w.join("Bob", "resume")
		connect(a, b) // 1: incomingCall
		offer := msg{"type": "offer", "offer": msg{"type": "offer", "sdp": strings.Repeat("x", 40<<10)}}
		for range 3 {
			a.send(offer)
		}
		if code := b.closed(); code != 4003 {
			t.Errorf("closed with %d", code)
		}
		b, _ = w.resumes(b, 1)
		b.expect("userList")
		for seq := 2; seq <= 4; seq++ {
			if m := b.next(); m.num("seq") != seq || len(m.obj("offer").str("sdp")) != 40<<10 {
				t.Errorf("got %.200v, want offer %d", m, seq)
			}
		}
		a.nothing(time.Second)
		a.send(offer) // one more than fits: nothing has been acknowledged
		if m := a.expect("callEnded"); m.str("reason") != "disconnected" {
			t.Errorf("got %v", m)
		}
		b2 := w.dial()
		b2.send(msg{"type": "resume", "session": b.session, "ack": 4})
		b2.refused("session-expired")
	})
}
