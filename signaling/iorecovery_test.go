package signaling

// This file tests what becomes of sessions that came by Socket.IO when their connection is lost.

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRecovery: what was missed comes once and in order, before CONNECT's answer; the call never noticed.
func TestRecovery(t *testing.T) {
	forEachWay(t, func(t *testing.T, way string) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			a, b := w.joinsBy(way, "Ann", "call-state"), w.join("Bob")
			b.send(msg{"type": "call", "target": "Ann"})
			call := a.expect("incomingCall").str("callId")
			a.send(msg{"type": "callResponse", "accepted": true})
			a.expect("callStarted")
			b.expect("callAnswered")
			candidate := func(i int) msg {
				return msg{"type": "iceCandidate", "candidate": msg{"candidate": fmt.Sprintf("candidate:%d 1 udp 1 192.0.2.1 5000 typ host", i)}}
			}
			next := 0
			comes := func(c *client, n int) {
				t.Helper()
				for range n {
					m := c.expect("iceCandidate")
					if got := m.obj("candidate").str("candidate"); !strings.HasPrefix(got, fmt.Sprintf("candidate:%d ", next)) {
						t.Fatalf("got %q, want %d", got, next)
					}
					next++
				}
			}
			sent := 0
			says := func(n int) {
				for range n {
					b.send(candidate(sent))
					sent++
				}
			}
			says(3)
			comes(a, 3)
			for _, back := range []string{way, ioWS, ioPolling, ioUpgraded} {
				a.io.cut()
				says(5)
				time.Sleep(10 * time.Second)
				a = a.io.again(back)
				if !a.io.recovered || a.io.early != 5 {
					t.Fatalf("back by %s: recovered %v, with %d events before the answer", back, a.io.recovered, a.io.early)
				}
				comes(a, 5)
				if m := a.expect("welcome"); !m.flag("resumed") || m.obj("call") == nil {
					t.Fatalf("got %v", m)
				}
				says(2)
				comes(a, 2)
			}
			b.nothing(time.Millisecond)
			// While the old connection looks alive: it is taken over.
			old := a
			a = a.io.again(ioWS)
			if !a.io.recovered || old.io.gone() {
				t.Fatal("a takeover: the session is not there, or the old client shall stay away")
			}
			a.expect("welcome")
			// Pages join whenever they connect.
			id := a.id
			a.send(msg{"type": "join", "username": "Ann", "features": []string{"call-state"}})
			if m := a.expect("welcome"); m.str("id") != id || m.obj("call") == nil {
				t.Fatalf("got %v", m)
			}
			a.send(msg{"type": "join", "username": "Ann"})
			a.refused("already-joined")
			// The grace is over.
			a.io.cut()
			time.Sleep(w.cfg.ResumeGrace + time.Second)
			b.equal(b.expect("callEnded"), msg{"type": "callEnded", "caller": "Ann", "callerId": id, "callId": call, "reason": "disconnected"})
			if c := a.io.again(ioWS); c.io.recovered || c.id == id {
				t.Error("the session is still there")
			}
		})
	})
}

// TestReloadedPage: it has forgotten by what it could have its session back, and gets its name at once.
func TestReloadedPage(t *testing.T) {
	forEachWay(t, func(t *testing.T, way string) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			a, b := w.joinsBy(way, "Ann"), w.join("Bob")
			connect(a, b)
			c := w.comes(way, "")
			c.send(msg{"type": "join", "username": "Ann"})
			c.refused("username-taken") // she is here
			a.io.cut()
			synctest.Wait()
			elsewhere := w.comes(way, "", fromIP("192.0.2.9"))
			elsewhere.send(msg{"type": "join", "username": "Ann"})
			elsewhere.refused("username-taken")
			c.joins("Ann")
			if m := b.expect("callEnded"); m.str("reason") != "disconnected" {
				t.Errorf("got %v", m)
			}
			if a.io.again(ioWS).io.recovered {
				t.Error("the old session came back")
			}
		})
	})
}

// TestNoRecovery: of a session that has ended, whoever ended it, and of one that another server had.
func TestNoRecovery(t *testing.T) {
	forEachWay(t, func(t *testing.T, way string) {
		for name, end := range map[string]func(w *world, c *client){
			"leave":            func(w *world, c *client) { c.send(msg{"type": "leave"}) },
			"disconnect":       func(w *world, c *client) { c.io.put("41") },
			"a flood":          func(w *world, c *client) { flood(c) },
			"another server":   func(w *world, c *client) { w.stop(); w.start() },
			"a wrong pid":      func(w *world, c *client) { c.io.pid = "p_" + strings.Repeat("x", 22) },
			"a wrong offset":   func(w *world, c *client) { c.io.offset = "1000" },
			"no number at all": func(w *world, c *client) { c.io.offset = "-1" },
		} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, func(c *Config, _ *Deps) { c.Burst = 100; c.Rate = 1 })
					a := w.joinsBy(way, "Ann")
					end(w, a)
					synctest.Wait()
					if name == "a flood" && !a.io.gone() {
						t.Error("it may come back")
					}
					c := a.io.again(ioWS)
					if c.io.recovered {
						t.Error("it came back")
					}
				})
			})
		}
	})
}

func flood(c *client) {
	for range 3 {
		if c.io.ws == nil {
			c.io.put(strings.TrimSuffix(strings.Repeat(`42["ping"]`+"\x1e", 700), "\x1e"))
			continue
		}
		for range 700 {
			c.io.put(`42["ping"]`)
		}
	}
}

// TestWhatWasSaidOffline: a page's library sends it before the page's own join, and it harms nothing.
func TestWhatWasSaidOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.joinsBy(ioWS, "Ann"), w.join("Bob")
		connect(a, b)
		a.io.cut()
		w.stop()
		w.start()
		c := a.io.again(ioWS)
		for range 3 {
			c.send(msg{"type": "iceCandidate", "target": "Bob", "candidate": nil})
		}
		for range 3 {
			c.refused("not-joined")
		}
		c.joins("Ann")
	})
}

// TestOffsetIsShort says why an offset is a number and not a token that would bring a session back after a restart: it
// would be this long in each event of a call.
func TestOffsetIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.join("Ann", "resume"), w.join("Bob", "resume")
		connect(a, b)
		time.Sleep(time.Second)
		for m := a.next(); m.typ() != "session"; m = a.next() {
		}
		if n := len(a.session); n <= 100 {
			t.Errorf("a token has %d bytes: that is little enough for an offset", n)
		}
	})
}
