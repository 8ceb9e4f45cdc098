package signaling

// This file tests that a server which ends says so to everybody, in time.

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.join("Ann", "resume"), w.join("Bob", "resume")
		call := connect(a, b)
		c, d := w.join("Cat"), w.join("Dan", "resume")
		mixed := connect(c, d)
		e := w.join("Eve")
		d.send(msg{"type": "ping", "ack": 1})
		d.expect("pong")
		done := make(chan struct{})
		start := time.Now()
		go func() { w.stop(); close(done) }()
		c.equal(c.expect("callEnded"), msg{"type": "callEnded", "caller": "Dan", "callerId": d.id, "callId": mixed, "reason": "server-shutdown"})
		d.equal(d.expect("callEnded"), msg{"type": "callEnded", "caller": "Cat", "callerId": c.id, "callId": mixed, "reason": "server-shutdown"})
		for _, x := range []*client{a, b, d} {
			m := x.expect("goingAway")
			if !m.has("reconnectInMs") || m.has("seq") {
				t.Errorf("got %v", m)
			}
		}
		for _, x := range []*client{a, b, c, d, e} {
			x.nothingButClose(t)
			if x.code != 1001 {
				t.Errorf("%s: closed with %d", x.name, x.code)
			}
		}
		<-done
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("drained in %s", took)
		}
		w.start()
		a, m := w.resumes(a, 0)
		if m.obj("call").str("callId") != call {
			t.Errorf("got %v", m)
		}
		a.ws.Close()
	})
}

func (c *client) nothingButClose(t *testing.T) {
	t.Helper()
	for m := range c.in {
		if m.typ() != "userList" && m.typ() != "session" {
			t.Errorf("%s: got %v", c.name, m)
		}
	}
}
