package signaling

// This file tests the way in by Socket.IO: that it is equal to the other, who is let in, and how it ends.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"duet/signaling/protocol"
)

// playAll is a call with all that can be said in it, rightly and wrongly; a comes by one way, b by another. It returns what
// a got.
func playAll(t *testing.T, wayA, wayB string) []msg {
	w := newWorld(t)
	var got []msg
	note := func(c *client, typ string) msg {
		m := c.expectSkipping(typ, "ringing")
		got = append(got, m)
		return m
	}
	a := w.comes(wayA, "")
	a.name = "Ann"
	a.send(msg{"type": "offer", "target": "Bob", "ref": 1})
	note(a, "error") // not joined
	a.send(msg{"type": "join", "username": "relay"})
	note(a, "error")
	a.send(msg{"type": "join", "username": "Ann", "features": []string{"call-state", "presence-delta", "unknown"}})
	note(a, "welcome")
	note(a, "userList")
	b := w.joinsBy(wayB, "Bob")
	presence := a.expect("presence")
	got = append(got, presence)
	a.send(msg{"type": "join", "username": "Ann"})
	note(a, "error")
	for _, broken := range []string{
		`{"type":"call","target":"Bob","target":"Bob"}`,
		`{"type":"call","x":` + strings.Repeat("[", 17) + strings.Repeat("]", 17) + `}`,
		`{"type":"call","target":"\ud800"}`,
	} {
		if a.io != nil {
			a.io.put(`42["call",` + strings.Replace(broken, `"type":"call",`, "", 1) + `]`)
		} else {
			a.send(broken)
		}
		m := a.expect("error")
		delete(m, "request") // the name of an event is known, whatever its argument is
		got = append(got, m)
	}
	a.send(msg{"type": "unknown", "ref": "r"})
	note(a, "error")
	a.send(msg{"type": "call", "target": 5})
	note(a, "error")
	a.send(msg{"type": "call", "target": "Nobody"})
	note(a, "error")
	a.send(msg{"type": "ping", "t": 7})
	note(a, "pong")
	connect(a, b)
	note(a, "callStarted")
	sdp := "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
	a.send(msg{"type": "offer", "target": "Bob", "offer": msg{"type": "offer", "sdp": sdp}})
	b.expect("offer")
	b.send(msg{"type": "answer", "target": "Ann", "answer": msg{"type": "answer", "sdp": sdp}})
	note(a, "answer")
	for i := range 20 {
		b.send(msg{"type": "iceCandidate", "candidate": msg{"candidate": fmt.Sprintf("candidate:%d 1 udp 1 192.0.2.1 5000 typ host", i), "sdpMid": "0"}})
	}
	for range 20 {
		note(a, "iceCandidate")
	}
	b.send(msg{"type": "iceCandidate", "candidate": nil})
	note(a, "iceCandidate")
	b.send(msg{"type": "mediaStateChange", "mediaType": "video", "enabled": false})
	note(a, "mediaStateChange")
	a.send(msg{"type": "offer", "offer": msg{"type": "offer", "sdp": strings.Repeat("x", 65<<10)}})
	note(a, "error")
	a.send(msg{"type": "relayRequest", "reason": "user"})
	note(a, "relayFailed")
	a.send(msg{"type": "iceServers"})
	note(a, "iceServers")
	b.send(msg{"type": "endCall"})
	note(a, "callEnded")
	a.send(msg{"type": "leave"})
	if a.io != nil {
		if !a.io.gone() {
			t.Error("leave is not answered by a disconnect")
		}
	} else if code := a.closed(); code != 1000 {
		t.Errorf("closed with %d", code)
	}
	return got
}

// TestEqual: a client gets the same by each way, whichever way the other party has come, but for ids and times.
func TestEqual(t *testing.T) {
	normal := func(list []msg) string {
		for _, m := range list {
			delete(m, "iceExpiresAt")
		}
		b, _ := json.MarshalIndent(list, "", " ")
		return regexp.MustCompile(`[uc]_[A-Za-z0-9]{22}`).ReplaceAllString(string(b), "id")
	}
	var want string
	synctest.Test(t, func(t *testing.T) { want = normal(playAll(t, plainWS, plainWS)) })
	for _, a := range waysIn {
		for _, b := range waysIn {
			t.Run(a+" and "+b, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					if got := normal(playAll(t, a, b)); got != want {
						g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
						for i := range min(len(g), len(w)) {
							if g[i] != w[i] {
								t.Fatalf("line %d: got %s, want %s", i, g[i], w[i])
							}
						}
						t.Errorf("got %s\nwant %s", got, want)
					}
				})
			})
		}
	}
}

// TestEventsAsPagesSendThem: what Socket.IO's pages do beside the rules.
func TestEventsAsPagesSendThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.joinsBy(ioWS, "Ann"), w.joinsBy(ioPolling, "Bob")
		a.io.put(`421["call",{"type":"video","target":"Bob","seq":"x","ack":-1},"more",{}]`)
		b.expect("incomingCall")
		b.io.put(`42["callResponse",{"accepted":true}]`)
		a.expect("callAnswered")
		a.io.put(`422["iceServers"]`) // without an object
		a.expect("iceServers")
		a.io.put(`423["endCall",null]`)
		a.refused("bad-json")
		a.io.put(`424[7,{}]`)
		a.refused("bad-message")
		a.io.put(`451-5["offer",{"offer":{"_placeholder":true,"num":0}}]`)
		a.io.ws.WriteMessage(websocket.BinaryMessage, []byte("v=0"))
		a.refused("bad-message")
		a.io.put(`426["resume",{"session":"x"}]`)
		a.refused("unknown-type")
		synctest.Wait()
		a.io.mu.Lock()
		defer a.io.mu.Unlock()
		if want := []string{"431[]", "432[]", "433[]", "434[]", "435[]", "436[]"}; !slices.Equal(a.io.said, want) {
			t.Errorf("acknowledged %q, want %q", a.io.said, want)
		}
	})
}

// TestJoinAtLeisure: a page connects when it is loaded.
func TestJoinAtLeisure(t *testing.T) {
	forEachWay(t, func(t *testing.T, way string) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			a := w.comes(way, "")
			time.Sleep(joinAtLeisure - time.Minute)
			a.joins("Ann")
			b := w.comes(way, "")
			time.Sleep(joinAtLeisure - time.Second)
			if _, err := w.tryCome(way, ""); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			if b.io.gone() {
				t.Error("one who has not joined in an hour may not come back")
			}
		})
	})
}

// TestDrainIO: clients are closed without a goodbye, so that they come back by themselves.
func TestDrainIO(t *testing.T) {
	forEachWay(t, func(t *testing.T, way string) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			a, b := w.joinsBy(way, "Ann"), w.join("Bob", "resume")
			connect(a, b)
			done := make(chan struct{})
			start := time.Now()
			go func() { w.stop(); close(done) }()
			if m := a.expect("callEnded"); m.str("reason") != "server-shutdown" {
				t.Errorf("got %v", m)
			}
			if a.io.gone() {
				t.Error("it may not come back")
			}
			<-done
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("drained in %s", took)
			}
		})
	})
}

// TestTooSlowIO: of what is sent to one who does not show that it comes, the sender hears, and nothing is lost.
func TestTooSlowIO(t *testing.T) {
	forEachWay(t, func(t *testing.T, way string) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(c *Config, _ *Deps) { c.OutboxMessages = 20 })
			a, b := w.joinsBy(way, "Ann"), w.join("Bob")
			connect(a, b)
			a.io.cut()
			sent := 0
			for b.send(msg{"type": "iceCandidate", "candidate": nil}); ; b.send(msg{"type": "iceCandidate", "candidate": nil}) {
				synctest.Wait()
				if len(b.in) > 0 {
					if m := b.next(); m.typ() == "error" {
						break
					}
				}
				sent++
			}
			a = a.io.again(way)
			if !a.io.recovered || a.io.early != sent || sent < 9 {
				t.Fatalf("recovered: %v, %d messages of %d are there", a.io.recovered, a.io.early, sent)
			}
		})
	})
}

func TestOriginsIO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(_ *Config, d *Deps) { d.AllowedOrigins = []string{"https://app.example"} })
		for origin, allowed := range map[string]bool{"http://duet.test": true, "https://app.example": true, "https://evil.example": false, "null": false} {
			for _, way := range waysIn[1:] {
				if _, err := w.tryCome(way, "", withHeader("Origin", origin)); (err == nil) != allowed {
					t.Errorf("%s from %s: %v", way, origin, err)
				}
			}
			a := w.comes(ioPolling, "")
			for _, method := range []string{"GET", "POST", "OPTIONS"} {
				r, _ := http.NewRequest(method, "http://duet.test/socket.io/?"+a.io.query(), nil)
				if method == "POST" {
					r, _ = http.NewRequest(method, r.URL.String(), strings.NewReader("3"))
				}
				if method == "GET" {
					r.URL.RawQuery = "EIO=4&transport=polling"
				}
				r.Header.Set("Origin", origin)
				answer, err := a.io.http.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				if (answer.StatusCode == http.StatusForbidden) == allowed || answer.Header.Get("Vary") != "Origin" {
					t.Errorf("%s from %s: %s %v", method, origin, answer.Status, answer.Header)
				}
				if told := answer.Header.Get("Access-Control-Allow-Origin"); allowed && (told != origin || answer.Header.Get("Access-Control-Allow-Credentials") != "true") || !allowed && told != "" {
					t.Errorf("%s from %s: %v", method, origin, answer.Header)
				}
			}
		}
	})
}

func TestLimitsIO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.MaxConnections, c.MaxConnectionsPerIP = 6, 3 })
		for i := range 5 {
			_, err := w.tryCome(waysIn[1+i%3], "", fromIP("192.0.2.1"))
			if (err == nil) != (i < 3) {
				t.Errorf("connection %d from one address: %v", i, err)
			} else if err != nil && !strings.Contains(err.Error(), "429") {
				t.Errorf("refused with %v", err)
			}
		}
		for i := range 5 {
			_, err := w.tryCome(ioPolling, "", fromIP(fmt.Sprint("192.0.3.", i)))
			if (err == nil) != (i < 3) || err != nil && !strings.Contains(err.Error(), "503") {
				t.Errorf("connection %d in all: %v", i, err)
			}
		}
		time.Sleep(time.Minute) // nobody pings: all go
		synctest.Wait()
		if n := w.hub.limits.Len(); n > 6 {
			t.Errorf("%d connections", n)
		}
	})
}

// TestSecretsAreNotLogged: neither the session's id nor that of recovery.
func TestSecretsAreNotLogged(t *testing.T) {
	forEachWay(t, func(t *testing.T, way string) {
		var log bytes.Buffer
		var secrets []string
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(_ *Config, d *Deps) {
				d.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
			a, b := w.joinsBy(way, "Ann"), w.join("Bob")
			call := connect(b, a)
			secrets = []string{a.io.sid, a.io.pid}
			b.send(msg{"type": "endCall"})
			m := a.expect("callEnded")
			if m.str("callId") != call {
				t.Errorf("got %v", m)
			}
			list, _ := json.Marshal(b.next())
			for _, secret := range secrets {
				if strings.Contains(string(list), secret) || len(secret) < 22 {
					t.Errorf("%q is told in %s", secret, list)
				}
			}
			a.io.cut()
			a.io.again(way)
			w.stop()
		})
		for _, secret := range secrets {
			if strings.Contains(log.String(), secret) {
				t.Errorf("%q is in the log", secret)
			}
		}
	})
}

// TestNothingStaysIO: sessions of every kind, 10,000 of them.
func TestNothingStaysIO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.Rate, c.Burst = 1e6, 1e6 })
		synctest.Wait()
		before := bubbled()
		if before == 0 {
			t.Fatal("the runtime names no bubbles: nothing would be shown")
		}
		for i := range 10000 / 5 {
			way := waysIn[1+i%3]
			c := w.comes(way, "")
			if i%2 == 0 {
				c.joins(fmt.Sprint("user ", i))
			}
			if i%4 == 0 {
				c.io.put("41")
			}
			c.io.cut()
			for range 4 { // handshakes alone, over one kept-alive connection
				c.io.request("GET", "EIO=4&transport=polling", "")
			}
			c.io.closeIdle()
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		w.hub.mu.Lock()
		sessions, pids := len(w.hub.sessions), len(w.hub.recoverable)
		w.hub.mu.Unlock()
		if n := w.hub.limits.Len(); n != 0 || sessions != 0 || pids != 0 || len(w.hub.conns.all) != 0 {
			t.Errorf("%d connections, %d sessions and %d pids are left", n, sessions, pids)
		}
		if now := bubbled(); now > before {
			t.Errorf("%d goroutines, %d before", now, before)
		}
	})
}

// bubbled counts the goroutines of the test's bubble: outside it the runtime's own come and go.
func bubbled() int {
	all := make([]byte, 1<<20)
	return strings.Count(string(all[:runtime.Stack(all, true)]), ", synctest bubble ")
}

// TestCheckEvent: the same rules as for a frame.
func TestCheckEvent(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for text, want := range map[string][2]bool{
		`["a"]`:                       {true, true},
		`["a",{"b":1,"b":2}]`:         {true, false},
		`["a",{"b":"\ud800"}]`:        {true, false},
		`["a",` + deep(16) + `]`:      {true, true},
		`["a",` + deep(17) + `]`:      {true, false},
		`["a",{"b":1}`:                {false, false},
		`["a",{"b":1}]x`:              {false, false},
		``:                            {false, false},
		"[\"\xff\"]":                  {true, false},
		`["a",{"é":"\u00e9","c":[]}]`: {true, true},
	} {
		if valid, clean := protocol.CheckEvent([]byte(text)); !reflect.DeepEqual([2]bool{valid, clean}, want) {
			t.Errorf("%.60s: %v %v, want %v", text, valid, clean, want)
		}
	}
}
