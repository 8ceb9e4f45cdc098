package socketio

// The protocol's own behaviour, but for how sessions end.

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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
