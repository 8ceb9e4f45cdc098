package signaling

// This file plants faults of ours where no client's message is being handled.

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"duet/signaling/protocol"
)

// faultyWire is a connection with a bug: one type of message cannot be pushed.
type faultyWire struct {
	protocol.Conn
	typ string
}

func (f faultyWire) Push(frame protocol.Frame) bool {
	if bytes.Contains(frame.Data, []byte(`{"type":"`+f.typ+`"`)) {
		panic("a bug in " + f.typ)
	}
	return f.Conn.Push(frame)
}

// plant gives a client's connection that bug.
func (w *world) plant(c *client, typ string) {
	w.hub.do(func(st *step) {
		conn := st.sessions[c.id].conn
		conn.wire = faultyWire{conn.wire, typ}
	})
}

// TestFaultsOutsideOfMessages: a fault in a timer, in what the relay tells or in the
// notice that a call rings ends where it is; other calls go on.
func TestFaultsOutsideOfMessages(t *testing.T) {
	for _, c := range []struct {
		what, typ string
		play      func(w *world, a, b *client)
	}{
		{"the ring timer", "callAnswered", func(w *world, a, b *client) {
			a.send(msg{"type": "call", "target": b.name})
			b.expect("incomingCall")
			time.Sleep(50 * time.Second)
		}},
		{"a ring notice", "ringing", func(w *world, a, b *client) {
			a.send(msg{"type": "call", "target": b.name})
			b.expect("incomingCall")
		}},
		{"an answer of the relay", "answer", func(w *world, a, b *client) {
			connect(a, b)
			askForRelay(a, b)
			a.expect("callStarted")
			a.expect("relayStart")
			a.send(msg{"type": "offer", "target": "relay", "offer": msg{"type": "offer", "sdp": "v=0"}, "ref": "x"})
			if m := a.refused("internal"); m.str("ref") != "x" || m.str("request") != "offer" {
				t.Errorf("got %v", m)
			}
		}},
		{"the relay's news", "relayReady", func(w *world, a, b *client) {
			call := connect(a, b)
			askForRelay(a, b)
			a.expect("callStarted")
			a.expect("relayStart")
			w.deps.Relay.(*neighbour).tell[call]("ready", "", "")
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log syncBuffer
				w := newWorld(t, func(_ *Config, d *Deps) {
					d.Relay, d.Log = &neighbour{mode: "fallback"}, slog.New(slog.NewTextHandler(&log, nil))
				})
				x, y := w.join("Xan"), w.join("Yve")
				connect(x, y)
				a, b := w.join("Ann", "call-state"), w.join("Bob")
				w.plant(a, c.typ)
				c.play(w, a, b)
				synctest.Wait()
				if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "a bug in "+c.typ) {
					t.Errorf("%d errors in the log: %s", n, log.String())
				}
				x.send(msg{"type": "offer", "offer": msg{"type": "offer", "sdp": "v=0"}})
				y.expect("offer")
				x.send(msg{"type": "endCall"})
				y.expect("callEnded")
			})
		})
	}
}

// TestFaultInReading: what is read without the lock may fail, too.
func TestFaultInReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.join("Ann"), w.join("Bob")
		connect(a, b)
		w.hub.do(func(st *step) { st.signer = signer{&sync.Pool{New: func() any { panic("a bug") }}} })
		c := w.dial()
		c.send(`{"type":"resume","session":"duet2.e30.","ref":"x"}`)
		if m := c.refused("internal"); m.str("ref") != "x" || m.str("request") != "resume" {
			t.Errorf("got %v", m)
		}
		a.send(msg{"type": "endCall"})
		b.expect("callEnded")
	})
}

// TestFaultOfANeighbour: what is asked of the relay without the lock may fail, too.
func TestFaultOfANeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(_ *Config, d *Deps) { d.Relay = faultyRelay{&neighbour{mode: "fallback"}} })
		a, b := w.join("Ann"), w.join("Bob")
		connect(a, b)
		askForRelay(a, b)
		b.expect("relayStart")
		a.send(msg{"type": "mediaStateChange", "video": false})
		b.expect("mediaStateChange")
		a.send(msg{"type": "endCall"})
		b.expect("callEnded")
	})
}

// faultyRelay is a relay with a bug.
type faultyRelay struct{ *neighbour }

func (faultyRelay) Mute(call, party, kind string, on bool) { panic("a bug") }
