package socketio

// How sessions end: by silence, by either side, by garbage; and that nothing of them stays.

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

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
