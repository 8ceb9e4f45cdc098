package signaling

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"duet/signaling/protocol"
)

// resumes connects anew and resumes c's session; it returns the new client and its welcome.
func (w *world) resumes(c *client, ack int) (*client, msg) {
	w.t.Helper()
	n := w.dial()
	n.name, n.id, n.session = c.name, c.id, c.session
	n.send(msg{"type": "resume", "session": c.session, "ack": ack})
	welcome := n.next()
	if welcome.typ() != "welcome" || !welcome.flag("resumed") {
		w.t.Fatalf("%s: got %v, want a resumed welcome", c.name, welcome)
	}
	n.session = welcome.str("session")
	return n, welcome
}

// latest takes the newest token and the highest seq that has come.
func (c *client) latest() (seq int) {
	synctest.Wait()
	for {
		select {
		case m, open := <-c.in:
			if !open {
				return seq
			}
			if m.typ() == "session" {
				c.session = m.str("session")
			}
			seq = max(seq, m.num("seq"))
		default:
			return seq
		}
	}
}

func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.join("Ann", "resume", "call-state"), w.join("Bob", "resume", "call-state")
		// Nothing has been sent yet: twice in a row.
		for range 2 {
			old := a
			var m msg
			a, m = w.resumes(a, 0)
			if m.flag("restored") || m.num("ack") != 0 || m["call"] != nil || m.str("id") != old.id || m.num("resumeGraceMs") != 30000 {
				t.Errorf("got %v", m)
			}
			if list := a.next(); list.typ() != "userList" || len(list["users"].([]any)) != 2 {
				t.Errorf("got %v", list)
			}
			if code := old.closed(); code != 4001 {
				t.Errorf("the old connection was closed with %d", code)
			}
		}
		a.send(msg{"type": "call", "target": "Bob", "seq": 1})
		in := b.expect("incomingCall")
		if in.num("seq") != 1 || !in.has("ack") {
			t.Errorf("got %v", in)
		}
		call := in.str("callId")
		a.expect("ringing")
		a.raw.Close()
		synctest.Wait()
		b.send(msg{"type": "callResponse", "accepted": true, "seq": 1, "ack": 1})
		b.expect("callStarted")
		b.send(msg{"type": "mediaStateChange", "video": false, "seq": 2, "ack": 2})
		b.send(msg{"type": "ping", "ack": 2})
		if m := b.expect("pong"); m.num("ack") != 2 {
			t.Errorf("got %v", m)
		}
		a, m := w.resumes(a, 1)
		on, off := msg{"audio": true, "video": true, "screen": false}, msg{"audio": true, "video": false, "screen": false}
		a.equal(msg{"call": m["call"], "ack": m["ack"]}, msg{"ack": 1, "call": msg{"callId": call, "role": "caller", "phase": "accepted", "peer": "Bob", "peerId": b.id,
			"media": msg{"self": on, "peer": off}, "relay": false}})
		if m := a.next(); m.typ() != "userList" {
			t.Errorf("got %v", m)
		}
		for i, want := range []string{"callAnswered", "callStarted", "mediaStateChange"} {
			if m := a.next(); m.typ() != want || m.num("seq") != 2+i {
				t.Errorf("replay %d: got %v, want %s", i, m, want)
			}
		}
		a.send(msg{"type": "call", "target": "Bob", "seq": 1, "ack": 4}) // repeated
		a.send(msg{"type": "endCall", "seq": 3, "ack": 4})               // a gap
		if m := a.refused("bad-message"); m.num("ref") != 3 || m.num("seq") != 5 {
			t.Errorf("got %v", m)
		}
		a.send(msg{"type": "endCall", "seq": 2, "ack": 5})
		if m := b.expect("callEnded"); m.num("seq") != 3 {
			t.Errorf("got %v", m)
		}
		a.send(msg{"type": "nonsense", "seq": 3, "ack": 5}) // refused, and processed
		a.refused("unknown-type")
		a.send(msg{"type": "ping", "ack": 99})
		a.refused("bad-message")
		a.send(msg{"type": "ping"})
		if m := a.expect("pong"); m.num("ack") != 3 {
			t.Errorf("got %v", m)
		}
		seq := a.latest()
		// After minutes, with the token of the first minute.
		time.Sleep(10 * time.Minute)
		if first := a.session; a.latest() != 0 || a.session == first {
			t.Error("no newer token came")
		} else {
			a.session = first
		}
		a.raw.Close()
		time.Sleep(29 * time.Second)
		a, _ = w.resumes(a, seq)
		a.raw.Close()
		time.Sleep(31 * time.Second)
		late := w.dial()
		late.send(msg{"type": "resume", "session": a.session})
		late.refused("session-expired")
		late.joins("Ann", "resume")
	})
}

func TestResumeRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.join("Ann", "resume")
		c := w.dial()
		c.name = "c"
		forged := newSigner([]byte("another key of another server...")).sign(claims{ID: a.id, Name: "Ann", Features: protocol.FeatureResume, Issued: time.Now().UnixMilli()})
		for _, x := range []struct{ frame, code string }{
			{`{"type":"resume"}`, "bad-message"},
			{`{"type":"resume","session":5}`, "bad-message"},
			{`{"type":"resume","session":""}`, "session-expired"},
			{`{"type":"resume","session":"` + strings.Repeat("x", 100) + `"}`, "session-expired"},
			{`{"type":"resume","session":"` + forged + `"}`, "session-expired"},
			{`{"type":"resume","session":"` + a.session + `x"}`, "session-expired"},
			{`{"type":"resume","session":"` + a.session + `","ack":1}`, "bad-message"},
			{`{"type":"resume","session":"` + a.session + `","ack":"0"}`, "bad-message"},
		} {
			c.send(x.frame)
			c.refused(x.code)
		}
		a.nothing(0)
		c.send(msg{"type": "resume", "session": a.session})
		if m := c.next(); m.typ() != "welcome" {
			t.Errorf("got %v", m)
		}
		c.expect("userList")
		c.send(`{"type":"leave","seq":1}`)
		if code := c.closed(); code != 1000 {
			t.Errorf("closed with %d", code)
		}
		d := w.dial()
		d.send(msg{"type": "resume", "session": a.session})
		d.refused("session-expired")
	})
}

// TestResumesRace: the newest connection wins, the others are told to stay away.
func TestResumesRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.join("Ann", "resume")
		var all []*client
		for range 5 {
			c := w.dial()
			all = append(all, c)
			go c.send(msg{"type": "resume", "session": a.session, "ack": 0})
		}
		synctest.Wait()
		open := 0
		for _, c := range append(all, a) {
			if w.hub.sessions[a.id].conn != nil && c.alive() {
				open++
			} else if c.code != 4001 {
				t.Errorf("closed with %d", c.code)
			}
		}
		if open != 1 {
			t.Errorf("%d connections have the session", open)
		}
	})
}

// alive drains what came and reports whether the connection is open.
func (c *client) alive() bool {
	synctest.Wait()
	for {
		select {
		case _, open := <-c.in:
			if !open {
				return false
			}
		default:
			return true
		}
	}
}

func TestGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.join("Ann"), w.join("Bob", "resume")
		connect(a, b)
		b.raw.Close()
		start := time.Now()
		a.expectAfter("callEnded", time.Minute)
		if d := time.Since(start); d != 30*time.Second {
			t.Errorf("the call ended after %s", d)
		}
		// A call to somebody who is away rings, and reaches them when they come back.
		c := w.join("Cat", "resume")
		d := w.join("Dan", "call-state")
		c.raw.Close()
		synctest.Wait()
		d.send(msg{"type": "call", "target": "Cat"})
		d.nothing(10 * time.Second) // not ringing
		c, _ = w.resumes(c, 0)
		c.expect("incomingCall")
		d.expect("ringing")
		c.ws.Close()
	})
}

func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.join("Ann", "resume", "presence-none")
		start := time.Now()
		last := a.session
		for i := 1; i <= 3; i++ {
			m := a.nextWithin(2 * time.Minute)
			if m.typ() != "session" || m.has("seq") || m.str("session") == last {
				t.Fatalf("got %v", m)
			}
			last = m.str("session")
			if d := time.Since(start); d < time.Duration(i)*time.Minute || d > time.Duration(i)*time.Minute+3*time.Second {
				t.Errorf("renewed after %s", d)
			}
		}
	})
}

func (c *client) nextWithin(d time.Duration) msg {
	c.t.Helper()
	select {
	case m, open := <-c.in:
		if !open {
			c.t.Fatalf("%s: connection closed with %d", c.name, c.code)
		}
		return m
	case <-time.After(d):
		c.t.Fatalf("%s: nothing within %s", c.name, d)
		return nil
	}
}
