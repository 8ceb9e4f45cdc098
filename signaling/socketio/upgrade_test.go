package socketio

// The upgrade, in all orders.

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// numbers are those of the events among packets.
func numbers(texts []string) (list []string) {
	for _, text := range texts {
		if rest, is := strings.CutPrefix(text, `42["n",{"n":`); is {
			number, _, _ := strings.Cut(rest, "}")
			list = append(list, number)
		}
	}
	return list
}

// upgrading is a client that upgrades step by step; before each step and after the last something else may happen.
func (l *lab) upgrading(sid string, between func(step int)) (heard []string) {
	poll := make(chan string, 1)
	polls := func() { go func() { _, body := l.get(sid); poll <- body }() }
	polls()
	synctest.Wait()
	between(0)
	ws := l.mustDial(sid)
	between(1)
	l.say(ws, "2probe")
	between(2)
	// The poll may end before the answer to the probe is read, and another be under way.
	for answered := false; !answered; {
		select {
		case body := <-poll:
			heard = append(heard, packets(body)...)
			polls()
		default:
			l.want(ws, "3probe")
			answered = true
		}
	}
	between(3)
	heard = append(heard, packets(<-poll)...)
	between(4)
	l.say(ws, "5")
	between(5)
	synctest.Wait()
	between(6)
	l.say(ws, `42["end"]`)
	l.say(ws, `4299["sure"]`)
	for {
		text := hear(ws)
		if text == "4399[]" || text == "closed" {
			return heard
		}
		heard = append(heard, text)
	}
}

// TestUpgradeAtEveryStep: what is sent at any moment of an upgrade comes once and in order. Each of the seven moments has
// a bit: something is sent then or not, and flushed or not.
func TestUpgradeAtEveryStep(t *testing.T) {
	for moments := range 1 << 7 {
		for _, flushed := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t)
				sid := l.open(v4)
				l.post(sid, "40")
				l.get(sid)
				c := l.app(0).conn
				n := 0
				var want []string
				heard := l.upgrading(sid, func(step int) {
					if moments&(1<<step) != 0 {
						n++
						want = append(want, fmt.Sprint(n))
						c.Push(event(n))
						if flushed {
							c.Flush()
						}
					}
				})
				if got := numbers(heard); !slices.Equal(got, want) {
					t.Errorf("moments %07b: got %v, want %v", moments, got, want)
				}
				if app := l.app(0); !slices.Contains(app.events, `/ ["end"]`) || app.lost {
					t.Errorf("moments %07b: the session does not go on: %v", moments, app.events)
				}
			})
		}
	}
}

// TestUpgradeUnderLoad: the same with everybody doing everything at once.
func TestUpgradeUnderLoad(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t)
			sid := l.open(v4)
			l.post(sid, "40")
			l.get(sid)
			app := l.app(0)
			const events = 300
			var work sync.WaitGroup
			var order sync.Mutex
			n := 0
			for range 3 {
				work.Go(func() {
					for range events / 3 {
						order.Lock()
						n++
						app.conn.Push(event(n))
						order.Unlock()
						app.conn.Flush()
						time.Sleep(time.Microsecond)
					}
				})
			}
			var heard []string
			for len(numbers(heard)) < 20 { // it polls for a while
				_, body := l.get(sid)
				heard = append(heard, packets(body)...)
			}
			posted := make(chan bool)
			go func() {
				for i := range 10 {
					l.post(sid, fmt.Sprintf(`42["up",%d]`, i))
				}
				close(posted)
			}()
			ws := l.mustDial(sid)
			l.say(ws, "2probe")
			l.want(ws, "3probe")
			_, body := l.get(sid)
			heard = append(heard, packets(body)...)
			<-posted // a client lets its posts end, too
			l.say(ws, "5")
			for i := range 10 {
				l.say(ws, fmt.Sprintf(`42["up",%d]`, 10+i))
			}
			for len(numbers(heard)) < events {
				text := hear(ws)
				if text == "closed" {
					t.Fatalf("closed; %d came, the client did %q, lost: %v", len(numbers(heard)), app.events, app.lost)
				}
				heard = append(heard, text)
			}
			work.Wait()
			synctest.Wait()
			for i, number := range numbers(heard) {
				if number != fmt.Sprint(i+1) {
					t.Fatalf("event %s came at place %d", number, i+1)
				}
			}
			for i := range 20 {
				if got := app.events[i+1]; got != fmt.Sprintf(`/ ["up",%d]`, i) {
					t.Fatalf("the client's event %d is %s", i, got)
				}
			}
		})
	}
}

// TestUpgradeGivenUp: the session polls on.
func TestUpgradeGivenUp(t *testing.T) {
	for name, give := range map[string]func(l *lab, ws *websocket.Conn){
		"closed":                  func(l *lab, ws *websocket.Conn) { ws.Close() },
		"closed after the probe":  func(l *lab, ws *websocket.Conn) { l.say(ws, "2probe"); l.want(ws, "3probe"); ws.Close() },
		"something else":          func(l *lab, ws *websocket.Conn) { l.say(ws, "4hello"); l.want(ws, "closed") },
		"binary":                  func(l *lab, ws *websocket.Conn) { ws.WriteMessage(websocket.BinaryMessage, nil); l.want(ws, "closed") },
		"upgrade without a probe": func(l *lab, ws *websocket.Conn) { l.say(ws, "5"); l.want(ws, "closed") },
		"nothing for ten seconds": func(l *lab, ws *websocket.Conn) { l.want(ws, "closed") },
		"the probe and nothing":   func(l *lab, ws *websocket.Conn) { l.say(ws, "2probe"); l.want(ws, "3probe", "closed") },
		"garbage after the probe": func(l *lab, ws *websocket.Conn) {
			l.say(ws, "2probe")
			l.want(ws, "3probe")
			l.say(ws, "x")
			l.want(ws, "closed")
		},
		"another, while it probes": func(l *lab, ws *websocket.Conn) { other := l.mustDial(l.sid(0)); l.want(other, "closed"); ws.Close() },
		"the probe twice, then end": func(l *lab, ws *websocket.Conn) {
			l.say(ws, "2probe")
			l.say(ws, "2probe")
			l.want(ws, "3probe", "3probe")
			ws.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t)
				sid := l.open(v4)
				l.post(sid, "40")
				l.get(sid)
				give(l, l.mustDial(sid))
				synctest.Wait()
				l.app(0).conn.Push(event(1))
				var heard []string
				for len(numbers(heard)) == 0 {
					status, body := l.get(sid)
					if status != 200 {
						t.Fatalf("the poll: %d %s", status, body)
					}
					heard = append(heard, packets(body)...)
				}
				// And it may upgrade later.
				if got := numbers(l.upgrading(sid, func(step int) {
					if step == 4 {
						l.app(0).conn.Push(event(2))
					}
				})); !slices.Equal(got, []string{"2"}) {
					t.Errorf("a later upgrade: %v", got)
				}
			})
		})
	}
}

func (l *lab) sid(i int) string { return v4 + "&sid=" + l.app(i).conn.sid }

// TestUpgraded: the session is the WebSocket's alone.
func TestUpgraded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		sid := l.open(v4)
		ws := l.mustDial(sid)
		l.say(ws, "2probe")
		l.want(ws, "3probe")
		l.say(ws, "5")
		synctest.Wait()
		for _, method := range []string{"GET", "POST"} {
			if status, _ := l.do(method, sid, "40"); status != 400 {
				t.Errorf("%s: %d", method, status)
			}
		}
		l.want(l.mustDial(sid), "closed")
		l.say(ws, "40")
		l.want(ws, "40{…", "42…")
		ws.Close()
		synctest.Wait()
		if l.server.Len() != 0 || l.gone != 1 {
			t.Errorf("%d sessions are left", l.server.Len())
		}
	})
}

// TestUpgradeOfASessionThatEnds: in either order nothing is left.
func TestUpgradeOfASessionThatEnds(t *testing.T) {
	for steps := range 4 {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t)
			sid := l.open(v4)
			c := l.app(0).conn
			end := func(now int) {
				if steps == now {
					c.Close(1001, "", false)
				}
			}
			end(0)
			ws, err := l.dial(sid)
			if err != nil {
				t.Fatal(err)
			}
			end(1)
			ws.WriteMessage(websocket.TextMessage, []byte("2probe"))
			end(2)
			ws.WriteMessage(websocket.TextMessage, []byte("5"))
			synctest.Wait()
			end(3)
			for hear(ws) != "closed" {
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if l.server.Len() != 0 || l.gone != 1 {
				t.Errorf("ended at step %d: %d sessions are left, %d Apps know", steps, l.server.Len(), l.gone)
			}
		})
	}
}
