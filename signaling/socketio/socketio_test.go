package socketio

// The protocol's own behaviour.

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

func event(n int) Packet {
	text := fmt.Sprintf(`{"type":"n","n":%d}`, n)
	return Packet{Event: []byte(text), Seq: uint64(n), Cost: len(text), Mark: fmt.Sprint(n)}
}

func TestOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		status, body := l.get(v4)
		if status != http.StatusOK || !strings.HasPrefix(body, `0{"sid":"`) ||
			!strings.HasSuffix(body, `","upgrades":["websocket"],"pingInterval":15000,"pingTimeout":25000,"maxPayload":131072}`) {
			t.Errorf("polling: %d %q", status, body)
		}
		ws := l.mustDial(v4)
		if got := hear(ws); !strings.Contains(got, `"upgrades":[]`) || strings.Contains(got, body[9:31]) {
			t.Errorf("a WebSocket: %q", got)
		}
		l.say(ws, `40{"token":"x"}`)
		l.want(ws, `40{"sid":"a-name"}`, `42["auth",{"token":"x"}]`)
		l.say(ws, `40/other,`)
		l.want(ws, `44/other,{"message":"Invalid namespace"}`)
		l.say(ws, `40/custom,{}`)
		l.want(ws, `40/custom,{"sid":"a-name"}`, `42/custom,["auth",{}]`)
		l.say(ws, `42/custom,12["x"]`)
		l.want(ws, `43/custom,12[]`)
		l.say(ws, "41/custom")
		l.say(ws, `4207["message-with-ack",1,{"a":[2]}]`)
		l.want(ws, `4307[1,{"a":[2]}]`)
	})
}

func TestRefusedRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		sid := l.open(v4)
		for _, c := range []struct {
			method, query string
			code          int
		}{
			{"GET", "EIO=4", 0},
			{"GET", "EIO=4&transport=webtransport", 0},
			{"GET", v4 + "&sid=nobody", 1},
			{"GET", v4 + "&sid=" + strings.Repeat("x", 5000), 1},
			{"POST", v4, 2},
			{"PUT", v4, 2},
			{"PUT", sid, 3},
			{"GET", "transport=polling&" + sid[len(v4)+1:], 3},
			{"GET", v4 + "&%zz", 3},
			{"GET", "transport=polling", 5},
			{"GET", "EIO=3&transport=polling", 5},
			{"GET", "EIO=abc&transport=websocket", 5},
		} {
			status, body := l.do(c.method, c.query, "")
			if status != http.StatusBadRequest || !strings.HasPrefix(body, fmt.Sprintf(`{"code":%d,"message":"`, c.code)) {
				t.Errorf("%s %s: %d %q, want code %d", c.method, c.query, status, body, c.code)
			}
		}
		if n := l.server.Len(); n != 1 {
			t.Errorf("%d sessions, want 1", n)
		}
	})
}

func TestGarbageEndsTheSession(t *testing.T) {
	for name, c := range map[string][]string{
		"no packet":                  {""},
		"no type":                    {"abc"},
		"a ping, which is ours":      {"2"},
		"close":                      {"1"},
		"no Socket.IO type":          {"4abc"},
		"a type of later":            {"47"},
		"CONNECT with a list":        {"40[]"},
		"CONNECT with rubbish":       {"40{"},
		"CONNECT twice":              {"40", "40"},
		"an event before CONNECT":    {`42["a"]`},
		"an event without a name":    {"40", "42[]"},
		"an event that is no list":   {"40", `42{"a":1}`},
		"rubbish for an event":       {"40", `42["a"`},
		"an event named by a list":   {"40", `42[["a"]]`},
		"a reserved name":            {"40", `42["disconnect"]`},
		"an acknowledgement":         {"40", `431{"a":1}`},
		"CONNECT_ERROR":              {"40", `44{"message":"x"}`},
		"DISCONNECT with a payload":  {"40", `41{}`},
		"another namespace's event":  {"40", `42/x,["a"]`},
		"no attachment":              {"40", `450-["a"]`},
		"eleven attachments":         {"40", `4511-["a"]`},
		"attachments without number": {"40", `45["a"]`},
		"a text for an attachment":   {"40", `451-["a"]`, `42["a"]`},
		"an attachment of nothing":   {"40", "bAAAA"},
		"an id without end":          {"40", `4212345678901234567["a"]`},
		"a namespace without end":    {"40/" + strings.Repeat("x", 200)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t)
				sid := l.open(v4)
				l.post(sid, strings.Join(c, "\x1e"))
				if status, body := l.get(sid); status != http.StatusBadRequest {
					t.Errorf("the polling session lives on: %d %q", status, body)
				}
				ws := l.mustDial(v4)
				for _, text := range c {
					if text == "bAAAA" {
						ws.WriteMessage(websocket.BinaryMessage, []byte{0})
					} else {
						l.say(ws, text)
					}
				}
				for hear(ws) != "closed" {
				}
				synctest.Wait()
				if n := l.server.Len(); n != 0 || l.gone != 2 || !l.app(0).lost {
					t.Errorf("%d sessions are left, %d Apps know", n, l.gone)
				}
			})
		})
	}
}

func TestWhatIsHarmless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		sid := l.open(v4)
		body := strings.Join([]string{"40", "42", `423["a"]`, `42[1]`, `42["b",{"type":"c"}, 2 ]`, `431[]`, "6", "5", "3",
			`452-4["d",{"_placeholder":true,"num":0}]`, "bAAAA", "bAAAA", `461-1[]`, "b", `42["e" , "\"]"]`}, "\x1e")
		if status, answer := l.post(sid, body); status != http.StatusOK || answer != "ok" {
			t.Fatalf("post: %d %q", status, answer)
		}
		_, answer := l.get(sid)
		if want := []string{`40{"sid":"a-name"}`, `42["auth",{}]`, `433[]`, `434[]`}; !slices.Equal(packets(answer), want) {
			t.Errorf("got %q, want %q", packets(answer), want)
		}
		want := []string{"connect /", `/ ["a"]`, `/ [1]`, `/ ["b",{"type":"c"}, 2 ]`, `/ ["d",{"_placeholder":true,"num":0}]`, `/ ["e" , "\"]"]`}
		if got := l.app(0).events; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		begun := time.Now()
		at := func() time.Duration { return time.Since(begun) }
		ws, polls := l.mustDial(v4), l.open(v4)
		l.want(ws, "0{…")
		l.say(ws, "40")
		l.want(ws, "40{…", "42…")
		l.post(polls, "40")
		l.get(polls)
		for range 3 {
			l.want(ws, "2")
			if _, body := l.get(polls); body != "2" {
				t.Errorf("poll: %q, want a ping", body)
			}
			l.say(ws, "3")
			l.post(polls, "3")
		}
		synctest.Wait()
		if at() != 45*time.Second || l.app(0).pongs != 3 || l.app(1).pongs != 3 {
			t.Errorf("after %v %d and %d pongs", at(), l.app(0).pongs, l.app(1).pongs)
		}
		// Silence from here: a ping at 60 s, and the end at 85.
		l.want(ws, "2", "closed")
		if at() != 85*time.Second {
			t.Errorf("the WebSocket ended after %v", at())
		}
		synctest.Wait()
		if status, _ := l.get(polls); status != http.StatusBadRequest {
			t.Errorf("the polling session lives on: %d", status)
		}
	})
}

func TestNobodyConnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		begun := time.Now()
		ws := l.mustDial(v4)
		l.want(ws, "0{…", "closed")
		if d := time.Since(begun); d != 10*time.Second {
			t.Errorf("closed after %v", d)
		}
		ws = l.mustDial(v4)
		l.want(ws, "0{…")
		l.say(ws, "40")
		l.want(ws, "40{…", "42…")
		l.say(ws, "41") // which leaves it without a namespace again
		begun = time.Now()
		l.want(ws, "closed")
		if d := time.Since(begun); d != 10*time.Second {
			t.Errorf("closed %v after leaving", d)
		}
	})
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(c *Config) { c.QueuePackets, c.QueueBytes = 8, 1000 })
		sid := l.open(v4)
		l.post(sid, "40")
		if status, _ := l.post(sid, `42["`+strings.Repeat("x", 128<<10)+`"]`); status != http.StatusRequestEntityTooLarge {
			t.Errorf("a body over the limit: %d", status)
		}
		if status, _ := l.get(sid); status != http.StatusBadRequest {
			t.Errorf("and then: %d", status)
		}
		// A client that does not poll.
		sid = l.open(v4)
		c := l.app(1).conn
		room := 0
		for i := 1; c.Push(event(i)); i++ { // with a ping among them
			room = i
		}
		if room != 7 || !c.Closing() || c.queue != nil {
			t.Errorf("there was room for %d packets", room)
		}
		if _, body := l.get(sid); body != "1" {
			t.Errorf("it ends with %q", body)
		}
		l.open(v4)
		c = l.app(2).conn
		big := Packet{Event: []byte(`{"type":"x"}`), Cost: 600}
		if !c.Push(big) || c.Push(big) {
			t.Error("bytes are not counted")
		}
	})
}

func TestOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		sid := l.open(v4)
		first := make(chan string)
		go func() { _, body := l.get(sid); first <- body }()
		synctest.Wait()
		if status, _ := l.get(sid); status != http.StatusBadRequest {
			t.Errorf("a second poll: %d", status)
		}
		if body := <-first; body != "1" {
			t.Errorf("the first poll ends with %q", body)
		}
	})
}

func TestClientCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		sid := l.open(v4)
		poll := make(chan string)
		go func() { _, body := l.get(sid); poll <- body }()
		synctest.Wait()
		l.post(sid, "1")
		if body := <-poll; body != "6" {
			t.Errorf("the poll ends with %q", body)
		}
		// A poll that is given up, as when a page is reloaded.
		l.open(v4)
		synctest.Wait()
		c := l.app(1).conn
		r, _ := http.NewRequest("GET", "http://duet/socket.io/?"+v4+"&sid="+c.sid, nil)
		gone := l.http.Timeout
		l.http.Timeout = time.Second
		if _, err := l.http.Do(r); err == nil {
			t.Error("a poll was answered")
		}
		l.http.Timeout = gone
		synctest.Wait()
		if l.server.Len() != 0 || l.gone != 2 {
			t.Errorf("%d sessions are left", l.server.Len())
		}
	})
}

func TestServerCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		for name, c := range map[string]struct {
			drop bool
			want []string
		}{
			"after what waits":      {false, []string{`42["n",{"n":1},"1"]`, "1"}},
			"instead of what waits": {true, []string{"1"}},
		} {
			sid := l.open(v4)
			conn := l.app(len(l.apps) - 1).conn
			conn.Push(event(1))
			conn.Close(1001, "", c.drop)
			if !conn.Push(event(2)) {
				t.Errorf("%s: a packet too late is news", name)
			}
			if _, body := l.get(sid); !slices.Equal(packets(body), c.want) {
				t.Errorf("%s: %q, want %q", name, packets(body), c.want)
			}
			if status, _ := l.get(sid); status != http.StatusBadRequest {
				t.Errorf("%s: lives on", name)
			}
		}
		l.open(v4)
		l.app(2).conn.Close(1001, "", false)
		time.Sleep(lingerTime + time.Second) // nobody comes for it
		synctest.Wait()
		if l.server.Len() != 0 || l.gone != 3 {
			t.Errorf("%d sessions are left, %d Apps know", l.server.Len(), l.gone)
		}
	})
}

// TestAcknowledged: a pong or the next poll shows that what was sent before has come.
func TestAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(c *Config) { c.QueueBytes = 8 * 10 * len(`{"type":"n","n":1}`) })
		sid := l.open(v4)
		a := l.app(0)
		l.post(sid, "40")
		l.get(sid)
		a.conn.Push(event(1))
		a.conn.Push(event(2))
		l.get(sid)
		synctest.Wait()
		if a.acked != 0 || !slices.Equal(a.marks, []string{"1", "2"}) {
			t.Errorf("acknowledged %d, written %v", a.acked, a.marks)
		}
		a.conn.Push(event(3))
		a.conn.Flush()
		l.get(sid)
		synctest.Wait()
		if a.acked != 2 {
			t.Errorf("acknowledged %d, want 2", a.acked)
		}
		ws := l.mustDial(v4)
		l.want(ws, "0{…")
		b := l.app(1)
		l.say(ws, "40")
		l.want(ws, "40{…", "42…")
		// So much is sent that its coming is asked for early.
		for i := range 12 {
			b.conn.Push(event(i + 1))
		}
		b.conn.Flush()
		heard, pinged := 0, 0
		for heard < 12 {
			if text := hear(ws); text == "2" {
				pinged = heard
			} else {
				heard++
			}
		}
		if pinged == 0 {
			t.Fatal("no ping came")
		}
		b.conn.Ping()
		b.conn.Flush()
		l.want(ws, "2")
		l.say(ws, "3")
		synctest.Wait()
		if int(b.acked) != pinged {
			t.Errorf("acknowledged %d, want %d", b.acked, pinged)
		}
		l.say(ws, "3")
		synctest.Wait()
		if b.acked != 12 {
			t.Errorf("acknowledged %d, want 12", b.acked)
		}
		l.say(ws, "3") // nobody asked
		synctest.Wait()
		if b.acked != 12 || b.conn.Closing() {
			t.Error("a pong of the client's own means something")
		}
	})
}

func TestLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		sid := l.open(v4)
		c := l.app(0).conn
		for i := range 3 {
			c.Push(Packet{Event: fmt.Appendf(nil, `{"type":"list","n":%d}`, i), Latest: true})
			c.Push(event(i + 1))
		}
		_, body := l.get(sid)
		if want := []string{`42["list",{"n":2}]`, `42["n",{"n":1},"1"]`, `42["n",{"n":2},"2"]`, `42["n",{"n":3},"3"]`}; !slices.Equal(packets(body), want) {
			t.Errorf("got %q", packets(body))
		}
	})
}

// TestLongAnswers: what a poll takes is bounded, and the rest comes with the next.
func TestLongAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		sid := l.open(v4)
		c := l.app(0).conn
		for range 5 {
			c.Push(Packet{Event: []byte(`{"type":"x","y":"` + strings.Repeat("z", 30<<10) + `"}`)})
		}
		var sizes []int
		for total := 0; total < 5; total += sizes[len(sizes)-1] {
			_, body := l.get(sid)
			sizes = append(sizes, len(packets(body)))
		}
		if !slices.Equal(sizes, []int{3, 2}) {
			t.Errorf("polls had %v packets", sizes)
		}
	})
}

func TestVersion3(t *testing.T) {
	const v3 = "EIO=3&transport=polling"
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(c *Config) { c.Version3 = true })
		status, body := l.get("transport=polling")
		if _, rest, _ := strings.Cut(body, ":"); status != http.StatusOK || !strings.HasPrefix(rest, `0{"sid":"`) || !strings.HasSuffix(rest, "2:40") {
			t.Fatalf("%d %q", status, body)
		}
		sid := l.open(v3)
		if status, body := l.post(sid, `1:219:42["message","é😀"]2:2x8:40/other`); status != http.StatusOK {
			t.Fatalf("%d %q", status, body)
		}
		if _, body := l.get(sid); body != `1:324:42["message-back","é😀"]2:3x28:44/other,"Invalid namespace"` {
			t.Errorf("%q", body)
		}
		ws := l.mustDial(sid)
		l.say(ws, "2probe")
		l.want(ws, "3probe")
		if _, body := l.get(sid); body != "1:6" {
			t.Errorf("%q", body)
		}
		l.say(ws, "5")
		begun := time.Now()
		for range 3 {
			time.Sleep(30 * time.Second)
			l.say(ws, "2")
			l.want(ws, "3")
		}
		l.want(ws, "closed")
		if d := time.Since(begun); d != 130*time.Second {
			t.Errorf("ended after %v", d)
		}
		for _, garbage := range []string{"", "4:2", "2", ":", "x:2", "1:3", "9999999:2"} {
			sid := l.open(v3)
			if status, _ := l.post(sid, garbage); status != http.StatusBadRequest {
				t.Errorf("%q: %d", garbage, status)
			}
		}
	})
}

func TestRateIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		sid := l.open(v4)
		l.mu.Lock()
		l.allow = false
		l.mu.Unlock()
		for _, method := range []string{"GET", "POST"} {
			if status, _ := l.do(method, sid, "3"); status != http.StatusTooManyRequests {
				t.Errorf("%s: %d", method, status)
			}
			synctest.Wait()
		}
		if _, err := l.dial(sid); err == nil {
			t.Error("an upgrade is not counted")
		}
	})
}

// TestNothingStays: sessions of every kind, ended in every way.
func TestNothingStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		for i := range 300 {
			switch i % 6 {
			case 0: // only its handshake
				l.open(v4)
			case 1:
				l.post(l.open(v4), "1")
			case 2:
				l.mustDial(v4).Close()
			case 3:
				sid := l.open(v4)
				l.mustDial(sid).Close()
			case 4:
				sid := l.open(v4)
				ws := l.mustDial(sid)
				l.say(ws, "2probe")
				l.want(ws, "3probe")
				l.say(ws, "5")
				ws.Close()
			case 5:
				l.post(l.open(v4), "40")
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := l.server.Len(); n != 0 || l.gone != 300 {
			t.Errorf("%d sessions are left, %d of 300 Apps know", n, l.gone)
		}
	})
}
