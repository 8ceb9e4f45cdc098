package signaling

// Names that are one to the eye: the same name is had once, and a lookalike is marked.

import (
	"testing"
	"testing/synctest"
)

func TestNamesThatAreOneToTheEye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bob := w.join("Bob Lee", "presence-delta")
		for _, same := range []string{"B\u200dob Lee", "B\u200cob Lee", "Bob Lee\ufe0f", "B\ufe00ob Lee", "Bob  Lee", "bob\u00a0 lee", "Ｂob Lee"} {
			c := w.dial()
			c.send(msg{"type": "join", "username": same})
			c.refused("username-taken")
			c.send(msg{"type": "join", "username": same + "\u2800"})
			c.refused("bad-username")
		}

		eve := w.dial()
		eve.name = "B\u043eb Lee" // a Cyrillic o
		eve.send(msg{"type": "join", "username": eve.name, "features": []string{"call-state"}})
		eve.id = eve.expect("welcome").str("id")
		eve.equal(msg{"users": eve.next()["users"]}, msg{"users": []any{
			msg{"id": bob.id, "username": "Bob Lee", "status": "available"},
			msg{"id": eve.id, "username": eve.name, "lookalike": true, "status": "available"}}})
		bob.equal(bob.next(), msg{"type": "presence", "left": []any{}, "status": []any{},
			"joined": []any{msg{"id": eve.id, "username": eve.name, "lookalike": true, "status": "available"}}})

		ann := w.join("Ann")
		for _, c := range []*client{bob, eve, ann} { // whoever was here first: one of the two is not who one thinks
			c.send(msg{"type": "call", "target": map[bool]string{true: "Bob Lee", false: "Ann"}[c == ann]})
			to := ann
			if c == ann {
				to = bob
			}
			if m := to.expect("incomingCall"); m.flag("lookalike") != (c != ann) {
				t.Errorf("a call of %s: %v", c.name, m)
			}
			c.send(`{"type":"endCall"}`)
			to.expect("callEnded")
		}
		bob.send(`{"type":"leave"}`)
		synctest.Wait()
		eve.send(msg{"type": "call", "target": "Ann"})
		if m := ann.expect("incomingCall"); m.flag("lookalike") {
			t.Errorf("with nobody to be taken for: %v", m)
		}
	})
}

func TestLookalikesCanBeRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.Join.RefuseLookalikes = true })
		bob := w.join("Bob")
		eve := w.dial()
		eve.send(msg{"type": "join", "username": "B\u043eb"})
		eve.refused("username-taken")
		bob.send(`{"type":"leave"}`)
		synctest.Wait()
		eve.joins("B\u043eb")
	})
}
