package signaling

// This file tests the echo user, which has no session, where it meets those who have.

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// echoTime is what PROTOCOL.md gives a call.
const echoTime = 2 * time.Minute

func TestEchoUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &neighbour{mode: "fallback"}
		w := newWorld(t, func(c *Config, d *Deps) { c.Echo, d.Relay, d.TURN = "Echo", n, ledger{n} })
		thief := w.dial()
		thief.send(msg{"type": "join", "username": "ＥＣＨＯ"})
		thief.refused("username-taken")

		a := w.dial()
		a.send(msg{"type": "join", "username": "Ann"})
		a.expect("welcome")
		status := func() string {
			for _, u := range a.expect("userList")["users"].([]any) {
				if u := msg(u.(map[string]any)); u.str("username") == "Echo" {
					return u.str("status")
				}
			}
			return "absent"
		}
		if got := status(); got != "available" {
			t.Errorf("the echo user is %s", got)
		}
		a.send(msg{"type": "call", "target": "echo"})
		answered := a.expect("callAnswered")
		if !answered.flag("accepted") || answered.str("callee") != "Echo" {
			t.Errorf("got %v", answered)
		}
		if m := a.expect("remark"); m.str("code") != "listening" || m.str("callId") != answered.str("callId") || m.str("message") == "" {
			t.Errorf("got %v", m)
		}
		a.send(msg{"type": "iceCandidate", "target": "Echo", "candidate": msg{"candidate": testCandidate}})
		if m := a.expect("remark"); m.str("code") != "early-candidate" {
			t.Errorf("got %v", m)
		}
		a.send(msg{"type": "offer", "target": "Echo", "offer": msg{"type": "offer", "sdp": "offer of ann"}})
		if m := a.expect("remark"); m.str("code") != "offer" {
			t.Errorf("got %v", m)
		}
		a.equal(a.expect("answer"), msg{"type": "answer", "answer": msg{"type": "answer", "sdp": "sdp of the relay"},
			"sender": "Echo", "senderId": answered.str("calleeId"), "callId": answered.str("callId")})
		synctest.Wait()
		if got := n.take(); strings.Count(got, "open") != 1 || !strings.Contains(got, "open one") || !strings.Contains(got, "offer of ann") {
			t.Errorf("the relay was asked: %s", got)
		}
		n.tell[answered.str("callId")]("ready", "", "")
		if m := a.expect("remark"); m.str("code") != "mirroring" {
			t.Errorf("got %v", m)
		}
		began := time.Now()
		time.Sleep(echoTime)
		a.expect("remark") // its time is over
		if m := a.expect("callEnded"); m.str("reason") != "hangup" || m.str("caller") != "Echo" {
			t.Errorf("got %v", m)
		}
		if took := time.Since(began); took > echoTime {
			t.Errorf("the call has lasted %v", took)
		}
		synctest.Wait()
		if got := n.take(); !strings.HasSuffix(got, "close; ended") && !strings.HasSuffix(got, "ended; close") {
			t.Errorf("at the end: %s", got)
		}
	})
}

// TestEchoNeedsTheRelay, and a name that a user could have.
func TestEchoNeedsTheRelay(t *testing.T) {
	for name, relay := range map[string]Relay{"Echo": nil, "Echo ": &neighbour{mode: "off"}, "relay": &neighbour{mode: "fallback"}} {
		cfg := DefaultConfig()
		cfg.Echo = name
		if _, err := New(cfg, Deps{Relay: relay}); err == nil || !strings.Contains(err.Error(), "signaling.echo") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
