package signaling

// This file tests what a stranger's client meets on the wire outside of calls.

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.dial()
		a.name = "a"
		a.send(`{"type":"pong","t":1}`) // means nothing, as we have not asked
		a.send(`{"type":"ping","t":1.5}`)
		a.equal(a.next(), msg{"type": "pong", "t": 1.5})
		a.send(`{"type":"ping","t":17,"ack":99}`)
		a.equal(a.next(), msg{"type": "pong", "t": 17})
		a.send(`{"type":"call","target":"x","ref":"r1"}`)
		m := a.refused("not-joined")
		if m.str("request") != "call" || m.str("ref") != "r1" || m.str("message") == "" {
			t.Errorf("got %v", m)
		}
		a.send(`{"type":"offer"}`)
		a.refused("not-joined")
		a.send(`{"type":"` + strings.Repeat("x", 70) + `"}`)
		if m := a.refused("unknown-type"); len(m.str("request")) != 64 || m.has("ref") {
			t.Errorf("got %v", m)
		}
		a.send(`nonsense`)
		if m := a.refused("bad-json"); m.has("request") || m.has("ref") || m.has("retryAfterMs") {
			t.Errorf("got %v", m)
		}
		for _, bad := range []string{"", "  ", "relay", "a\u202eb"} {
			a.send(msg{"type": "join", "username": bad})
			a.refused("bad-username")
		}
		welcome := a.joins(" Ann ")
		if !regexp.MustCompile(`^u_[A-Za-z0-9]{22}$`).MatchString(a.id) {
			t.Errorf("id %q", a.id)
		}
		a.equal(welcome, msg{"type": "welcome", "id": a.id, "username": "Ann", "session": "", "iceServers": []any{}, "iceExpiresAt": 0, "relay": "off", "relayAfterMs": 8000,
			"resumeGraceMs": 0, "resumed": false, "restored": false, "ack": 0, "call": nil, "features": []any{}, "server": msg{"name": "duet", "version": "test", "protocol": 1}})
		a.send(`{"type":"join","username":"Ann2"}`)
		a.refused("already-joined")
		a.send(`{"type":"join"}`)
		a.refused("already-joined")
		a.send(`{"type":"resume","session":"x"}`)
		a.refused("already-joined")

		b := w.dial()
		b.send(msg{"type": "join", "username": "ANN"})
		b.refused("username-taken")
		b.send(msg{"type": "join", "username": "用户B", "features": []string{"bogus", "presence-none", "call-state", "resume"}})
		welcome = b.next()
		if got := fmt.Sprint(welcome["features"]); got != "[resume call-state presence-none]" || welcome.str("session") == "" || welcome.num("resumeGraceMs") != 30000 || welcome.str("username") != "用户B" {
			t.Errorf("got %v", welcome)
		}
		if m := a.next(); m.typ() != "userList" || len(m["users"].([]any)) != 2 {
			t.Errorf("got %v", m)
		}
		b.nothing(time.Second)
		b.send(`{"type":"leave"}`)
		if code := b.closed(); code != 1000 {
			t.Errorf("leave closed with %d", code)
		}
		a.equal(a.next(), msg{"type": "userList", "users": []any{msg{"id": a.id, "username": "Ann", "status": "available"}}})
	})
}

func TestCloseCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for _, c := range []struct {
			what string
			kind int
			data string
			code int
		}{
			{"binary", websocket.BinaryMessage, `{"type":"ping"}`, 1003},
			{"not UTF-8", websocket.TextMessage, "{\"type\":\"ping\",\"x\":\"\xff\"}", 1007},
			{"too long", websocket.TextMessage, `{"type":"ping","x":"` + strings.Repeat("a", maxMessage) + `"}`, 1009},
		} {
			a := w.dial()
			go a.ws.WriteMessage(c.kind, []byte(c.data))
			if code := a.closed(); code != c.code {
				t.Errorf("%s: closed with %d, want %d", c.what, code, c.code)
			}
		}
		a := w.dial()
		a.send(`{"type":"ping","x":"` + strings.Repeat("a", maxMessage-len(`{"type":"ping","x":""}`)) + `"}`)
		a.expect("pong")
		start := time.Now()
		if code := a.closed(); code != 4002 || time.Since(start) != 10*time.Second {
			t.Errorf("closed with %d after %s, want 4002 after 10s", code, time.Since(start))
		}
	})
}

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		pings := 0
		a := w.dial(with(func(ws *websocket.Conn) {
			ws.SetPingHandler(func(string) error {
				pings++
				return ws.WriteControl(websocket.PongMessage, nil, time.Now().Add(time.Second))
			})
		}))
		a.joins("Ann")
		b := w.dial(with(func(ws *websocket.Conn) {
			ws.SetPingHandler(func(string) error { return nil }) // dead, but its socket is open
		}))
		b.joins("Bob")
		start := time.Now()
		b.closed()
		if d := time.Since(start); d < 40*time.Second || d > 43*time.Second {
			t.Errorf("a silent connection was dropped after %s", d)
		}
		a.nothing(10 * time.Minute)
		if pings < 40 || pings > 43 {
			t.Errorf("%d pings in 650 s", pings)
		}
	})
}

func TestOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(_ *Config, d *Deps) {
			d.AllowedOrigins = []string{"https://app.example.org", "http://other.example:8000/"}
		})
		for _, c := range []struct {
			origin string
			status int
		}{
			{"http://duet.test", 101}, {"https://duet.test", 101}, {"http://DUET.test:80", 101},
			{"https://app.example.org", 101}, {"https://app.example.org:443", 101}, {"http://other.example:8000", 101},
			{"http://app.example.org", 403}, {"http://duet.test:8080", 403}, {"http://duet.test.evil.example", 403}, {"http://evil.example", 403},
			{"null", 403}, {"", 403}, {"duet.test", 403}, {"file://", 403}, {"http://user@duet.test", 403},
		} {
			a, resp, err := w.tryDial(withHeader("Origin", c.origin))
			if resp == nil || resp.StatusCode != c.status {
				t.Errorf("%q: %v %v, want %d", c.origin, resp, err, c.status)
			}
			if a != nil {
				a.ws.Close()
			}
		}
		if _, resp, _ := w.tryDial(withHeader("Origin", "http://duet.test"), withHeader("Origin", "http://evil.example")); resp.StatusCode != 403 {
			t.Error("two origins passed")
		}
	})
}

func TestConnectionLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.MaxConnections, c.MaxConnectionsPerIP = 5, 2 })
		status := func(ip string) int {
			_, resp, _ := w.tryDial(fromIP(ip))
			return resp.StatusCode
		}
		got := []int{status("192.0.2.1"), status("192.0.2.1"), status("192.0.2.1"), status("2001:db8::1"), status("2001:db8::2"), status("2001:db8::3"), status("192.0.2.9"), status("192.0.2.9")}
		if want := []int{101, 101, 429, 101, 101, 429, 101, 503}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		// The places come back.
		time.Sleep(15 * time.Second) // nobody joined
		synctest.Wait()
		if got := status("192.0.2.1"); got != 101 {
			t.Errorf("after the others left: %d", got)
		}
	})
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.join("Ann") // one message of the burst
		for range 999 {
			a.send(`{"type":"ping"}`)
		}
		for range 999 {
			a.expect("pong")
		}
		a.send(`{"type":"ping","ref":5}`)
		m := a.refused("rate-limited")
		if m.num("retryAfterMs") < 1 || m.num("ref") != 5 || m.str("request") != "ping" {
			t.Errorf("got %v", m)
		}
		time.Sleep(time.Second)
		for range 100 {
			a.send(`{"type":"ping"}`)
			a.expect("pong")
		}
		flood := make(chan struct{})
		go func() {
			defer close(flood)
			for range 2000 { // 5,000 a second: some of them pass
				time.Sleep(200 * time.Microsecond)
				if a.ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"ping"}`)) != nil {
					return
				}
			}
		}()
		if code := a.closed(); code != 1008 {
			t.Errorf("closed with %d, want 1008", code)
		}
		<-flood
	})
}

// TestControlFlood: pings and pongs count like messages, and what is over the
// rate is not answered.
func TestControlFlood(t *testing.T) {
	for _, kind := range []int{websocket.PingMessage, websocket.PongMessage} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			pongs := 0
			a := w.dial(with(func(ws *websocket.Conn) {
				ws.SetPongHandler(func(string) error { pongs++; return nil })
			}))
			a.joins("Ann") // one frame of the burst
			sent := 0
			for a.ws.WriteControl(kind, []byte("flood"), time.Now().Add(time.Second)) == nil && sent < 10_000 {
				sent++
			}
			if code := a.closed(); code != 1008 || sent < 1998 {
				t.Errorf("closed with %d after %d", code, sent)
			}
			want := 999
			if kind == websocket.PongMessage {
				want = 0
			}
			if pongs != want {
				t.Errorf("%d pongs to a flood, want %d", pongs, want)
			}
		})
	}
}

// TestSlowReader: who does not read is dropped, and nobody waits for it.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stuck := make(chan struct{})
		free := sync.OnceFunc(func() { close(stuck) })
		defer free()
		a, b := w.join("Ann"), w.dial(with(func(ws *websocket.Conn) {
			ws.SetPongHandler(func(string) error { <-stuck; return nil })
		}))
		b.name = "Bob"
		b.joins("Bob")
		b.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) // from here its reader hangs
		synctest.Wait()
		connectSlow := func() string {
			a.send(`{"type":"call","target":"Bob"}`)
			synctest.Wait() // the answer is read by another reader
			b.send(`{"type":"callResponse","accepted":true}`)
			return a.expect("callAnswered").str("callId")
		}
		connectSlow()
		sdp := strings.Repeat("a", 60<<10)
		for range 40 { // 2.4 MB
			start := time.Now()
			a.send(msg{"type": "offer", "offer": msg{"type": "offer", "sdp": sdp}})
			a.send(`{"type":"ping"}`)
			if m := a.expectSkipping("pong", "callEnded", "error"); time.Since(start) != 0 {
				t.Fatalf("a waited %s for %v", time.Since(start), m)
			}
		}
		free()
		if code := b.closed(); code != 4003 && code != 0 {
			t.Errorf("the slow reader was closed with %d", code)
		}
	})
}

func TestPlainHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		conn, err := w.dialNow("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for origin, want := range map[string]string{"": "426", "Origin: https://duet.test\r\n": "426", "Origin: https://elsewhere.test\r\n": "403"} {
			go fmt.Fprintf(conn, "POST /ws HTTP/1.1\r\nHost: duet.test\r\nContent-Length: 0\r\n%s\r\n", origin)
			buf := make([]byte, 4096)
			n, _ := conn.Read(buf)
			if !strings.HasPrefix(string(buf[:n]), "HTTP/1.1 "+want+" ") {
				t.Errorf("%q: got %q, want %s", origin, buf[:n], want)
			}
		}
	})
}

// TestPlainEnd: without the feature resume a session ends with its connection.
func TestPlainEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.join("Ann"), w.join("Bob")
		call := connect(a, b)
		b.raw.Close()
		a.equal(a.expect("callEnded"), msg{"type": "callEnded", "caller": "Bob", "callerId": b.id, "callId": call, "reason": "disconnected"})
		w.join("Bob")
	})
}

func TestRinging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.join("Ann", "call-state"), w.join("Bob", "call-state")
		a.send(msg{"type": "call", "target": b.id, "media": msg{"video": false, "x": 1}})
		in := b.expect("incomingCall")
		call := in.str("callId")
		b.equal(in, msg{"type": "incomingCall", "caller": "Ann", "callerId": a.id, "callId": call, "media": msg{"video": false}})
		a.equal(a.expect("ringing"), msg{"type": "ringing", "callId": call, "callee": "Bob", "calleeId": b.id})
		start := time.Now()
		a.equal(a.expectAfter("callAnswered", time.Minute), msg{"type": "callAnswered", "accepted": false, "callee": "Bob", "calleeId": b.id, "callId": call, "reason": "timeout"})
		if d := time.Since(start); d != 45*time.Second {
			t.Errorf("it rang for %s", d)
		}
		b.equal(b.expect("callEnded"), msg{"type": "callEnded", "caller": "Ann", "callerId": a.id, "callId": call, "reason": "timeout"})
		a.send(msg{"type": "call", "target": "bob"})
		call = b.expect("incomingCall").str("callId")
		b.send(`{"type":"callResponse","accepted":true}`)
		a.expectSkipping("callAnswered", "ringing")
		on := msg{"audio": true, "video": true, "screen": false}
		a.equal(a.expect("callStarted"), msg{"type": "callStarted", "callId": call, "role": "caller", "peer": "Bob", "peerId": b.id, "media": msg{"self": on, "peer": on}})
		b.equal(b.expect("callStarted"), msg{"type": "callStarted", "callId": call, "role": "callee", "peer": "Ann", "peerId": a.id, "media": msg{"self": on, "peer": on}})
	})
}
