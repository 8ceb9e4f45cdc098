package signaling

// This file tests that what is kept for a client is bounded, that it never has a
// gap, and that who causes too much of it pays, and nobody else.

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestSenderPays: what one user sends another is refused while half of what is kept waits.
func TestSenderPays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.OutboxMessages = 8 })
		a, b := w.join("Ann"), w.join("Bob", "resume")
		connect(a, b)       // 1: incomingCall
		for i := range 10 { // few enough for what waits for Ann
			a.send(msg{"type": "mediaStateChange", "audio": i%2 == 0, "ref": i})
		}
		for i := 4; i < 10; i++ {
			if m := a.refused("rate-limited"); m.num("ref") != i || m.num("retryAfterMs") != 1000 {
				t.Errorf("got %v, want the refusal of %d", m, i)
			}
		}
		for seq := 2; seq <= 5; seq++ {
			if m := b.expect("mediaStateChange"); m.num("seq") != seq {
				t.Errorf("got %v, want seq %d", m, seq)
			}
		}
		b.send(msg{"type": "ping", "ack": 5})
		b.expect("pong")
		a.send(msg{"type": "mediaStateChange", "audio": false})
		b.expect("mediaStateChange")
		a.nothing(time.Second)

	})
}

// TestSenderPaysByBytes: few messages can be too many, also for somebody who is away.
func TestSenderPaysByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.OutboxBytes = 100 << 10 })
		a, b := w.join("Ann"), w.join("Bob", "resume")
		connect(a, b) // 1: incomingCall
		b.raw.Close()
		synctest.Wait()
		for i := range 3 {
			a.send(msg{"type": "offer", "offer": msg{"type": "offer", "sdp": strings.Repeat("x", 40<<10)}, "ref": i})
		}
		if m := a.refused("rate-limited"); m.num("ref") != 2 {
			t.Errorf("got %v", m)
		}
		b, _ = w.resumes(b, 1)
		b.expect("userList")
		for seq := 2; seq <= 3; seq++ {
			if m := b.next(); m.num("seq") != seq || len(m.obj("offer").str("sdp")) != 40<<10 {
				t.Errorf("got %.200v, want offer %d", m, seq)
			}
		}
		b.nothing(time.Second)
	})
}

// TestOutboxFills: the server's own messages fill it for a client that acknowledges none. That closes the connection and
// leaves the session, and only a client that comes back for more and more of them loses that, too.
func TestOutboxFills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.OutboxMessages = 8 })
		b := w.join("Bob", "resume")
		for range 8 {
			b.send(`{"type":"call"}`) // is refused
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
		for len := 5; len < 8; len++ {
			b.send(`{"type":"endCall"}`)
		}
		if code := b.closed(); code != 4003 {
			t.Errorf("closed with %d", code)
		}
		for len := 8; len < 12; len++ {
			b, _ = w.resumes(b, 3)
			b.send(`{"type":"endCall"}`)
			if code := b.closed(); code != 4003 {
				t.Errorf("with %d kept: closed with %d", len, code)
			}
		}
		b, _ = w.resumes(b, 3)
		b.send(`{"type":"endCall"}`)
		if code := b.closed(); code != 4004 {
			t.Errorf("closed with %d", code)
		}
	})
}

// TestFullOutboxKeepsTheSession: it ends with its grace, and not before.
func TestFullOutboxKeepsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.OutboxMessages = 4 })
		a, b := w.join("Ann"), w.join("Bob", "resume")
		connect(a, b)
		for range 3 {
			b.send(`{"type":"call"}`)
		}
		if code := b.closed(); code != 4003 {
			t.Errorf("closed with %d", code)
		}
		a.send(msg{"type": "endCall"}) // the server's news: it has room
		a.send(msg{"type": "call", "target": "Bob"})
		if m := a.expect("callAnswered"); m.str("reason") != "busy" {
			t.Errorf("got %v", m)
		}
		time.Sleep(29 * time.Second)
		b, _ = w.resumes(b, 4)
		if m := b.expect("callEnded"); m.num("seq") != 5 {
			t.Errorf("got %v", m)
		}
	})
}

// TestUnreadRingIsTakenBack: a call that is over before any connection heard of it leaves no trace, nor a gap.
func TestUnreadRingIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.join("Ann"), w.join("Bob", "resume", "presence-none")
		b.raw.Close()
		synctest.Wait()
		for range 3 {
			a.send(msg{"type": "call", "target": "Bob"})
			a.send(msg{"type": "endCall"})
		}
		synctest.Wait()
		b, _ = w.resumes(b, 0)
		a.send(msg{"type": "call", "target": "Bob"})
		if m := b.next(); m.typ() != "incomingCall" || m.num("seq") != 1 {
			t.Errorf("got %v", m)
		}
		a.send(msg{"type": "endCall"})
		if m := b.expect("callEnded"); m.num("seq") != 2 {
			t.Errorf("got %v", m)
		}
	})
}

// TestRingingIsPaced: by who rings, and by who is rung.
func TestRingingIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.dial(fromIP("203.0.113.9")), w.dial(fromIP("198.51.100.1"))
		a.name, b.name = "Ann", "Bob"
		a.joins("Ann")
		b.joins("Bob")
		ring := func(x *client) {
			x.send(msg{"type": "call", "target": "Bob"})
			x.send(msg{"type": "endCall"})
		}
		for range 5 {
			ring(a)
			b.expect("incomingCall")
			b.expect("callEnded")
		}
		a.send(msg{"type": "call", "target": "Bob"})
		if m := a.refused("rate-limited"); m.num("retryAfterMs") != 1000 {
			t.Errorf("got %v", m)
		}
		time.Sleep(time.Second)
		ring(a)
		b.expect("incomingCall")
		b.expect("callEnded")

		// Bob has been rung six times, of which two are given back; six more may come from others.
		busy := 0
		for i := range 4 {
			x := w.dial(fromIP("203.0.113.9"))
			x.name = "Xan" + string(rune('0'+i))
			x.joins(x.name)
			for range 2 {
				x.send(msg{"type": "call", "target": "Bob"})
				synctest.Wait()
				x.send(msg{"type": "endCall"})
				synctest.Wait()
				for len(x.in) > 0 {
					if m := <-x.in; m.typ() == "callAnswered" && m.str("reason") == "busy" {
						busy++
					}
				}
			}
		}
		if busy != 2 {
			t.Errorf("of eight calls %d found Bob busy, want 2", busy)
		}
	})
}

// acknowledges reads what comes and acknowledges it as the page does: every 32 messages, late by lag, and every so often.
func (c *client) acknowledges(lag, every time.Duration) (over chan struct{}) {
	over = make(chan struct{})
	go func() {
		defer close(over)
		seen, acked := 0, 0
		tick := time.NewTicker(every)
		defer tick.Stop()
		ack := func(n int) { c.ws.WriteJSON(msg{"type": "ping", "ack": n}) }
		for {
			select {
			case m, open := <-c.in:
				if !open {
					return
				}
				if seen = max(seen, m.num("seq")); seen-acked >= 32 {
					n := seen
					acked = n
					time.AfterFunc(lag, func() { ack(n) })
				}
			case <-tick.C:
				acked = seen
				ack(acked)
			}
		}
	}()
	return over
}

// TestNobodySignsAnotherOut: a client that reads at once and acknowledges as it should keeps its connection, whatever a
// party of its call or strangers send.
func TestNobodySignsAnotherOut(t *testing.T) {
	for _, c := range []struct {
		what string
		play func(w *world, b *client) (over chan struct{})
	}{
		{"long offers at once", func(w *world, b *client) chan struct{} {
			a := w.join("Mallory")
			connect(a, b)
			over := b.acknowledges(0, 2*time.Second)
			sdp := strings.Repeat("a", 64<<10)
			for range 40 {
				a.send(msg{"type": "offer", "offer": msg{"type": "offer", "sdp": sdp}})
			}
			return over
		}},
		{"strangers who ring and cancel", func(w *world, b *client) chan struct{} {
			over := b.acknowledges(300*time.Millisecond, 15*time.Second)
			var strangers []*client
			for i := range 6 {
				a := w.dial(fromIP("203.0.113.9"))
				a.name = "Mallory " + string(rune('0'+i))
				a.joins(a.name, "presence-none")
				strangers = append(strangers, a)
			}
			for range 499 {
				for _, a := range strangers {
					a.send(msg{"type": "call", "target": "Bob"})
					a.send(msg{"type": "endCall"})
				}
				time.Sleep(time.Millisecond)
			}
			return over
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				b := w.dial(fromIP("198.51.100.1"))
				b.name = "Bob"
				b.joins("Bob", "resume", "call-state", "presence-delta", "verdict")
				over := c.play(w, b)
				time.Sleep(time.Second)
				select {
				case <-over:
					t.Errorf("the connection is closed with %d", b.code)
				default:
				}
			})
		})
	}
}
