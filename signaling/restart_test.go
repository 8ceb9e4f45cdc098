package signaling

// Sessions and calls over a restart of the server.

import (
	"testing"
	"testing/synctest"
	"time"

	"duet/signaling/call"
	"duet/signaling/protocol"
)

// Phases of calls, as tokens have them.
const accepted, connected call.Phase = 1, 2

type snapshot = call.Snapshot

// TestRestart: both parties come back to a server that knows nothing.
func TestRestart(t *testing.T) {
	for _, relayed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := &neighbour{mode: "fallback"}
			w := newWorld(t, func(_ *Config, d *Deps) { d.Relay = n })
			a, b := w.join("Ann", "resume", "call-state"), w.join("Bob", "resume", "call-state", "presence-none")
			call := connect(a, b)
			a.send(msg{"type": "mediaStateChange", "video": false, "seq": 1})
			a.send(msg{"type": "mediaConnected", "path": "direct", "seq": 2})
			if relayed {
				a.send(msg{"type": "relayRequest", "reason": "user", "seq": 3})
			}
			a.latest()
			b.latest()
			w.kill()
			w.start()
			n.take()
			old := b
			b, m := w.resumes(b, 40) // the numbers of another epoch say nothing
			on, off := msg{"audio": true, "video": true, "screen": false}, msg{"audio": true, "video": false, "screen": false}
			b.equal(msg{"call": m["call"], "ack": m["ack"], "restored": m["restored"], "id": m["id"], "username": m["username"]}, msg{"ack": 0, "restored": true, "id": old.id, "username": "Bob",
				"call": msg{"callId": call, "role": "callee", "phase": "connected", "peer": "Ann", "peerId": a.id, "media": msg{"self": on, "peer": off}, "relay": false}})
			// What is for the one who has not come yet is kept.
			b.send(msg{"type": "mediaStateChange", "audio": false, "seq": 1})
			b.send(msg{"type": "offer", "offer": msg{"type": "offer", "sdp": "ice restart"}, "seq": 2})
			c := w.dial()
			c.send(msg{"type": "join", "username": "Ann"})
			c.refused("username-taken")
			c.send(msg{"type": "join", "username": "Cat"})
			c.expect("welcome")
			c.send(msg{"type": "call", "target": "Ann"})
			if m := c.expect("callAnswered"); m.str("reason") != "busy" {
				t.Errorf("got %v", m)
			}
			a, m = w.resumes(a, 7)
			if m.obj("call").str("callId") != call || !m.flag("restored") || m.num("ack") != 0 || m.obj("call").obj("media").obj("peer").flag("audio") {
				t.Errorf("got %v", m)
			}
			a.expect("userList")
			if relayed {
				// Set up again by itself, now that both are here.
				b.equal(b.expect("relayStart"), msg{"type": "relayStart", "callId": call, "reason": "restored"})
			}
			for i, want := range []string{"mediaStateChange", "offer"} {
				if m := a.next(); m.typ() != want || m.num("seq") != 1+i {
					t.Errorf("got %v, want %s", m, want)
				}
			}
			if relayed {
				a.expect("relayStart")
			}
			a.send(msg{"type": "mediaStateChange", "video": true, "seq": 1})
			b.expect("mediaStateChange")
			a.send(msg{"type": "endCall", "seq": 2})
			if m := b.expect("callEnded"); m.str("reason") != "hangup" || m.str("callId") != call {
				t.Errorf("got %v", m)
			}
			// A token of the call that has ended brings nothing back.
			ended := newSigner(w.deps.Key).sign(claims{ID: protocol.NewID("u_"), Name: "Eve", Features: protocol.FeatureResume, Issued: time.Now().UnixMilli(), Call: &snapshot{ID: call, Phase: accepted, PeerID: a.id, PeerName: "Ann"}})
			e := w.dial()
			e.send(msg{"type": "resume", "session": ended})
			e.refused("session-expired")
		})
	}
}

// kill ends the server as SIGKILL would: nobody is told.
func (w *world) kill() {
	for _, c := range w.hub.conns.everybody() {
		c.wire.Abort()
	}
	w.stop()
}

func TestRestartAlone(t *testing.T) {
	type then func(t *testing.T, w *world, a, b *client, call string)
	for _, c := range []struct {
		what string
		ring bool
		then then
	}{
		{"the other never comes", false, func(t *testing.T, w *world, a, b *client, call string) {
			a, _ = w.resumes(a, 0)
			if m := a.expectAfter("callEnded", time.Minute); m.str("reason") != "disconnected" || m.str("callId") != call || m.str("caller") != "Bob" {
				t.Errorf("got %v", m)
			}
			w.join("Bob") // the name is free
			late := w.dial()
			late.send(msg{"type": "resume", "session": b.session})
			late.refused("session-expired")
		}},
		{"the other comes without the call", false, func(t *testing.T, w *world, a, b *client, call string) {
			a, _ = w.resumes(a, 0)
			cl, _ := newSigner(w.deps.Key).verify(b.session)
			cl.Call = nil
			b.session = newSigner(w.deps.Key).sign(cl)
			b, m := w.resumes(b, 0)
			if m["call"] != nil {
				t.Errorf("got %v", m)
			}
			if m := a.expect("callEnded"); m.str("reason") != "disconnected" {
				t.Errorf("got %v", m)
			}
			b.nothing(time.Second)
		}},
		{"the other was here first without the call", false, func(t *testing.T, w *world, a, b *client, call string) {
			cl, _ := newSigner(w.deps.Key).verify(b.session)
			cl.Call = nil
			b.session = newSigner(w.deps.Key).sign(cl)
			b, _ = w.resumes(b, 0)
			a, m := w.resumes(a, 0)
			if m["call"] != nil {
				t.Errorf("got %v", m)
			}
			if m := a.expect("callEnded"); m.str("reason") != "disconnected" || m.num("seq") != 1 {
				t.Errorf("got %v", m)
			}
			b.nothing(time.Second)
			connectNumbered(t, a, b)
		}},
		{"an old token", false, func(t *testing.T, w *world, a, b *client, call string) {
			time.Sleep(2*time.Minute + time.Second)
			n := w.dial()
			n.send(msg{"type": "resume", "session": a.session})
			n.refused("session-expired")
		}},
		{"an old token of the other", false, func(t *testing.T, w *world, a, b *client, call string) {
			w.resumes(a, 0)
			cl, _ := newSigner(w.deps.Key).verify(b.session)
			cl.Issued -= 3 * time.Minute.Milliseconds()
			n := w.dial()
			n.send(msg{"type": "resume", "session": newSigner(w.deps.Key).sign(cl)})
			n.refused("session-expired")
			if _, m := w.resumes(b, 0); m.obj("call").str("callId") != call {
				t.Errorf("got %v", m)
			}
		}},
		{"a token from before the restart, again", false, func(t *testing.T, w *world, a, b *client, call string) {
			old := a.session
			again := func() *client {
				n := w.dial()
				n.send(msg{"type": "resume", "session": old, "ack": 2})
				return n
			}
			a, _ = w.resumes(a, 2)
			b, _ = w.resumes(b, 1)
			b.send(msg{"type": "mediaStateChange", "audio": false, "seq": 1})
			a.expect("mediaStateChange")
			// The client missed all that, or so it says: it has acknowledged nothing.
			n := again()
			m := n.expect("welcome")
			if n.session = m.str("session"); !m.flag("restored") || m.num("ack") != 0 || m.obj("call").str("callId") != call {
				t.Errorf("got %v", m)
			}
			if m := n.expect("mediaStateChange"); m.num("seq") != 1 {
				t.Errorf("got %v", m)
			}
			n.send(msg{"type": "ping", "ack": 1})
			n.expect("pong")
			again().refused("session-expired")
			n.send(msg{"type": "mediaStateChange", "video": false, "seq": 1, "ack": 1})
			b.expect("mediaStateChange")
			again().refused("session-expired")
			n.latest()
			w.resumes(n, 1)
		}},
		{"the name is taken", false, func(t *testing.T, w *world, a, b *client, call string) {
			w.join("ANN")
			n := w.dial()
			n.send(msg{"type": "resume", "session": a.session})
			n.refused("session-expired")
		}},
		{"it still rings", true, func(t *testing.T, w *world, a, b *client, call string) {
			b, m := w.resumes(b, 0)
			if m.obj("call").str("phase") != "ringing" || m.obj("call").str("role") != "callee" {
				t.Errorf("got %v", m)
			}
			a, _ = w.resumes(a, 0)
			b.send(msg{"type": "callResponse", "accepted": true, "seq": 1})
			if m := a.expect("callAnswered"); !m.flag("accepted") || m.str("callId") != call {
				t.Errorf("got %v", m)
			}
		}},
		{"it rings out anew", true, func(t *testing.T, w *world, a, b *client, call string) {
			a, _ = w.resumes(a, 0)
			w.resumes(b, 0)
			start := time.Now()
			if m := a.expectAfter("callAnswered", time.Minute); m.str("reason") != "timeout" || time.Since(start) != 45*time.Second {
				t.Errorf("got %v after %s", m, time.Since(start))
			}
		}},
		{"accepted for one, ringing for the other", true, func(t *testing.T, w *world, a, b *client, call string) {
			cl, _ := newSigner(w.deps.Key).verify(b.session)
			cl.Call.Phase = accepted
			b.session = newSigner(w.deps.Key).sign(cl)
			a, m := w.resumes(a, 0)
			if m.obj("call").str("phase") != "ringing" {
				t.Errorf("got %v", m)
			}
			b, m = w.resumes(b, 0)
			if m.obj("call").str("phase") != "accepted" {
				t.Errorf("got %v", m)
			}
			if m := a.expect("callAnswered"); !m.flag("accepted") {
				t.Errorf("got %v", m)
			}
			b.send(msg{"type": "callResponse", "accepted": true, "seq": 1})
			b.nothing(time.Second)
		}},
		{"accepted before the caller comes", true, func(t *testing.T, w *world, a, b *client, call string) {
			b, _ = w.resumes(b, 0)
			b.send(msg{"type": "callResponse", "accepted": true, "seq": 1})
			b.latest()
			a, m := w.resumes(a, 0)
			if m.obj("call").str("phase") != "accepted" {
				t.Errorf("got %v", m)
			}
			if m := a.expect("callAnswered"); !m.flag("accepted") || m.num("seq") != 1 {
				t.Errorf("got %v", m)
			}
			a.nothing(time.Second) // its place was kept, and so was this news: it is told once
		}},
		{"ringing for the caller, who comes second", true, func(t *testing.T, w *world, a, b *client, call string) {
			cl, _ := newSigner(w.deps.Key).verify(b.session)
			cl.Call.Phase = accepted
			b.session = newSigner(w.deps.Key).sign(cl)
			b, _ = w.resumes(b, 0)
			a, m := w.resumes(a, 0)
			if m.obj("call").str("phase") != "accepted" {
				t.Errorf("got %v", m)
			}
			if m := a.expect("callAnswered"); !m.flag("accepted") || m.num("seq") != 1 {
				t.Errorf("got %v", m)
			}
			b.nothing(time.Second)
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				a, b := w.join("Ann", "resume"), w.join("Bob", "resume")
				a.send(msg{"type": "call", "target": "Bob", "seq": 1})
				call := b.expect("incomingCall").str("callId")
				if !c.ring {
					b.send(msg{"type": "callResponse", "accepted": true, "seq": 1})
					a.expect("callAnswered")
				}
				a.latest()
				b.latest()
				w.kill()
				w.start()
				c.then(t, w, a, b, call)
			})
		})
	}
}

// TestNewCallToSomebodyWhoIsAway: after a restart a call that began since is not
// taken for the one that the callee's token knows.
func TestNewCallToSomebodyWhoIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.join("Ann", "resume"), w.join("Bob", "resume")
		connectNumbered(t, a, b)
		a.latest()
		b.latest()
		w.kill()
		w.start()
		a, _ = w.resumes(a, 0)
		a.send(msg{"type": "endCall", "seq": 1})
		a.send(msg{"type": "call", "target": "Bob", "seq": 2})
		synctest.Wait() // or Bob could be back before it rings
		b, m := w.resumes(b, 0)
		if m.obj("call").str("phase") != "ringing" {
			t.Errorf("got %v", m)
		}
		b.expect("callEnded")
		if m := b.expect("incomingCall"); m.str("caller") != "Ann" {
			t.Errorf("got %v", m)
		}
		b.send(msg{"type": "callResponse", "accepted": true, "seq": 1})
		if m := a.expect("callAnswered"); !m.flag("accepted") {
			t.Errorf("Ann hears %v of the call that Bob has taken", m)
		}
	})
}

func connectNumbered(t *testing.T, a, b *client) {
	t.Helper()
	a.send(msg{"type": "call", "target": b.name, "seq": 1})
	b.expect("incomingCall")
	b.send(msg{"type": "callResponse", "accepted": true, "seq": 1})
	if m := a.expect("callAnswered"); !m.flag("accepted") {
		t.Errorf("got %v", m)
	}
}
