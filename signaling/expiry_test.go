package signaling

// Sessions that end because of a token, or because the operator wants it.

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"duet/signaling/join"
)

var closedServer = join.Config{Mode: "hs256", Secret: strings.Repeat("s", 32)}

// pass is a token of closedServer's.
func pass(t *testing.T, sub, name string, valid time.Duration) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": sub, "exp": time.Now().Add(valid).Unix()}
	if name != "" {
		claims["name"] = name
	}
	s, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(closedServer.Secret))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *world) joinWith(token string) *client {
	w.t.Helper()
	c := w.dial()
	c.send(msg{"type": "join", "username": "typed", "token": token, "features": []string{"resume", "presence-none"}})
	m := c.expect("welcome")
	c.name, c.id, c.session = m.str("username"), m.str("id"), m.str("session")
	return c
}

// expires is when a session was ended because its token had expired.
func (c *client) expires() time.Time {
	c.t.Helper()
	for {
		select {
		case m, open := <-c.in:
			switch {
			case open && m.typ() == "session":
				c.session = m.str("session")
			case open && (m.typ() != "error" || m.str("code") != "unauthorized"):
				c.t.Fatalf("%s: got %v", c.name, m)
			case !open && c.code != 4004:
				c.t.Fatalf("%s: closed with %d", c.name, c.code)
			case !open:
				return time.Now()
			}
		case <-time.After(24 * time.Hour):
			c.t.Fatalf("%s: the session does not end", c.name)
		}
	}
}

func TestSessionsEndWithTheirToken(t *testing.T) {
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(c *Config, _ *Deps) { c.Join = closedServer })
			ann := w.joinWith(pass(t, "7", "Ann", time.Hour))
			end := time.Now().Add(time.Hour + 30*time.Second)
			cut := func(token string) {
				time.Sleep(10 * time.Minute)
				ann.latest()
				if restart {
					w.kill()
					w.start()
				}
				old := ann
				ann = w.dial()
				ann.name, ann.id = old.name, old.id
				ann.send(msg{"type": "resume", "session": old.session, "token": token})
				if m := ann.expect("welcome"); m.flag("restored") != restart {
					t.Errorf("got %v", m)
				} else {
					ann.session = m.str("session")
				}
			}
			cut("")
			cut(pass(t, "8", "Ann", 5*time.Hour)) // another's
			cut("rubbish")
			if left := time.Until(end); left < 20*time.Minute || left > 31*time.Minute {
				t.Fatalf("the test takes too long: %s", left)
			}
			if at := ann.expires(); at.Sub(end).Abs() > time.Second {
				t.Errorf("restart %v: ended at %s, want %s", restart, at, end)
			}
			late := w.dial()
			late.send(msg{"type": "resume", "session": ann.session})
			late.refused("session-expired")

			ann = w.joinWith(pass(t, "7", "Ann", time.Hour))
			end = time.Now().Add(2*time.Hour + 30*time.Second)
			cut(pass(t, "7", "Ann", 2*time.Hour))
			cut("")
			if at := ann.expires(); at.Sub(end).Abs() > time.Second {
				t.Errorf("restart %v, with a newer token: ended at %s, want %s", restart, at, end)
			}
		})
	}
}

// TestExpiredWhileTheServerWasAway: the session's own token is young enough, the one that it was begun with is not.
func TestExpiredWhileTheServerWasAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.Join = closedServer })
		ann := w.joinWith(pass(t, "7", "Ann", time.Minute))
		w.kill()
		time.Sleep(91 * time.Second)
		w.start()
		late := w.dial()
		late.send(msg{"type": "resume", "session": ann.session})
		late.refused("unauthorized")
	})
}

// TestSessionsOfAnOpenServer do not come over into one that is closed, nor back.
func TestSessionsOfAnOpenServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ann, bob := w.join("Ann", "resume"), w.join("Bob", "resume")
		connect(ann, bob)
		ann.latest()
		for _, next := range []join.Config{closedServer, join.DefaultConfig(), closedServer} {
			w.kill()
			w.cfg.Join = next
			w.start()
			for _, c := range []*client{ann, bob} {
				again := w.dial()
				again.send(msg{"type": "resume", "session": c.session})
				if next.Mode == "open" {
					c.session = again.expect("welcome").str("session")
					continue
				}
				again.refused("session-expired")
				again.send(msg{"type": "join", "username": c.name})
				again.refused("unauthorized")
			}
		}
	})
}

// TestSameSubject: who has the name by the same token takes it back from a device that died; nobody else does.
func TestSameSubject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.Join = closedServer })
		ann := w.joinWith(pass(t, "7", "Ann", time.Hour))
		other := w.dial(fromIP("203.0.113.9"))
		other.send(msg{"type": "join", "username": "x", "token": pass(t, "8", "Ann", time.Hour)})
		other.refused("username-taken")
		again := w.dial(fromIP("203.0.113.9"))
		again.send(msg{"type": "join", "username": "x", "token": pass(t, "7", "Ann", time.Hour)})
		if m := again.expect("welcome"); m.str("username") != "Ann" || m.str("id") == ann.id {
			t.Errorf("got %v", m)
		}
		if code := ann.closed(); code != 4001 {
			t.Errorf("the older one was closed with %d", code)
		}
	})
}

func TestOperatorEndsSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.Join = closedServer })
		for _, by := range []func(*client) string{
			func(c *client) string { return c.id },
			func(*client) string { return " ANN" },
			func(*client) string { return "auth|7" },
		} {
			one, two := w.joinWith(pass(t, "auth|7", "Ann", time.Hour)), w.joinWith(pass(t, "auth|7", "Ann at work", time.Hour))
			bob := w.joinWith(pass(t, "8", "Bob", time.Hour))
			connect(bob, one)
			user, want := by(one), 1
			if user == "auth|7" {
				want = 2
			}
			if n := w.hub.EndSessions(user); n != want {
				t.Errorf("%s: %d ended, want %d", user, n, want)
			}
			if code := one.closed(); code != 4004 {
				t.Errorf("%s: closed with %d", user, code)
			}
			if m := bob.expect("callEnded"); m.str("reason") != "disconnected" {
				t.Errorf("%s: the other heard %v", user, m)
			}
			back := w.dial()
			back.send(msg{"type": "resume", "session": one.session})
			back.refused("session-expired")
			if n := w.hub.EndSessions("nobody"); n != 0 {
				t.Errorf("%d sessions of nobody", n)
			}
			for _, c := range []*client{two, bob} {
				c.send(msg{"type": "leave", "seq": 1})
				c.closed()
			}
		}
		if n := len(w.hub.subjects); n != 0 {
			t.Errorf("%d subjects stay", n)
		}
	})
}
