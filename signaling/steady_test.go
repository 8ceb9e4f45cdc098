package signaling

// This file is a client as section 6 of the protocol wants it: it numbers,
// keeps and acknowledges, and comes back when its connection is lost.

import (
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// steady is a client that loses nothing. All it learns goes to heard.
type steady struct {
	t     testing.TB
	w     *world
	name  string
	feats []string
	away  func() time.Duration                    // how long to stay away after a loss
	hook  func(dir, typ string, before bool) bool // true: cut now

	mu       sync.Mutex
	ws       *websocket.Conn
	raw      net.Conn
	ready    bool // welcome has come on ws
	token    string
	id       string
	sent     int   // the last number given
	seen     int   // the last number seen
	kept     []msg // not acknowledged
	heard    []msg
	faults   []string
	stopped  bool
	restored int
	changed  chan struct{} // capacity 1: something was heard
	loops    sync.WaitGroup
}

func newSteady(w *world, name string, feats ...string) *steady {
	return &steady{t: w.t, w: w, name: name, feats: append([]string{"resume"}, feats...), changed: make(chan struct{}, 1),
		away: func() time.Duration { return 250 * time.Millisecond }, hook: func(string, string, bool) bool { return false }}
}

func (s *steady) fault(format string, args ...any) {
	s.faults = append(s.faults, s.name+": "+fmt.Sprintf(format, args...))
}

// start keeps connected until stop.
func (s *steady) start() {
	s.loops.Go(func() {
		for first := true; ; first = false {
			if !first {
				time.Sleep(s.away())
			}
			s.mu.Lock()
			stopped := s.stopped
			s.mu.Unlock()
			if stopped {
				return
			}
			s.connection()
		}
	})
}

func (s *steady) stop() {
	s.mu.Lock()
	s.stopped = true
	if s.raw != nil {
		s.raw.Close()
	}
	s.mu.Unlock()
	s.loops.Wait()
}

// cut breaks the connection.
func (s *steady) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.raw != nil {
		s.raw.Close()
	}
}

// connection is the life of one connection.
func (s *steady) connection() {
	var raw net.Conn
	d := websocket.Dialer{NetDial: func(string, string) (net.Conn, error) {
		var err error
		raw, err = s.w.dialNow("127.0.0.1")
		return raw, err
	}}
	ws, _, err := d.Dial("ws://duet.test/ws", nil)
	if err != nil {
		return
	}
	defer ws.Close()
	s.mu.Lock()
	s.ws, s.raw, s.ready = ws, raw, false // what still comes on an older connection is not heard
	hello := msg{"type": "join", "username": s.name, "features": s.feats}
	if s.token != "" {
		hello = msg{"type": "resume", "session": s.token, "ack": s.seen}
	}
	s.post(hello)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.ws == ws {
			s.ready = false
		}
	}()
	for {
		_, data, err := ws.ReadMessage()
		if err != nil {
			return
		}
		var m msg
		if json.Unmarshal(data, &m) != nil {
			panic(string(data))
		}
		if !s.take(ws, m) {
			return
		}
	}
}

// write sends on the current connection; s.mu is held.
func (s *steady) write(m msg) {
	b, _ := json.Marshal(m)
	s.ws.SetWriteDeadline(time.Now().Add(5 * time.Second))
	s.ws.WriteMessage(websocket.TextMessage, b) // lost with the connection, but kept
}

// say numbers a message, keeps it, and sends it when it can.
func (s *steady) say(m msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
	m["seq"] = s.sent
	s.kept = append(s.kept, m)
	if s.ready {
		s.sendKept(m)
	}
}

func (s *steady) sendKept(m msg) {
	m["ack"] = s.seen
	s.post(m)
}

// post is write with a cut before or after it.
func (s *steady) post(m msg) {
	if s.hook("send", m.typ(), true) {
		s.raw.Close()
		return
	}
	s.write(m)
	if s.hook("send", m.typ(), false) {
		s.raw.Close()
	}
}

// take handles a message; false breaks the connection.
func (s *steady) take(ws *websocket.Conn, m msg) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ws != ws {
		return false
	}
	typ := m.typ()
	if s.hook("take", typ, true) {
		return false
	}
	if ack, is := m["ack"].(float64); is {
		n := 0
		for n < len(s.kept) && s.kept[n].number() <= int(ack) {
			n++
		}
		if m.flag("restored") {
			n = 0
		}
		s.kept = s.kept[n:]
	}
	switch typ {
	case "welcome":
		s.token, s.id = m.str("session"), m.str("id")
		if m.flag("restored") {
			// A new epoch: everything unacknowledged goes again, under new numbers.
			s.restored++
			s.seen, s.sent = 0, 0
			for _, k := range s.kept {
				s.sent++
				k["seq"] = s.sent
			}
		}
		s.ready = true
		for _, k := range s.kept {
			s.sendKept(k)
		}
	case "session":
		s.token = m.str("session")
	case "userList", "presence", "pong", "goingAway":
	case "error":
		if m.str("code") == "session-expired" {
			s.fault("its session expired")
			s.stopped = true
		}
	}
	if seq := m.num("seq"); seq != 0 {
		if seq != s.seen+1 {
			s.fault("got number %d after %d: %v", seq, s.seen, m)
		}
		s.seen = seq
	}
	s.heard = append(s.heard, m)
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return !s.hook("take", typ, false)
}

func (m msg) number() int {
	switch n := m["seq"].(type) {
	case int:
		return n
	case float64:
		return int(n)
	}
	return 0
}

// await waits until something of a type has been heard n times, and returns the last.
func (s *steady) await(typ string, n int) msg {
	s.t.Helper()
	end := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		count := 0
		var last msg
		for _, m := range s.heard {
			if m.typ() == typ {
				count++
				last = m
			}
		}
		s.mu.Unlock()
		if count >= n {
			return last
		}
		select {
		case <-s.changed:
		case <-end:
			s.mu.Lock()
			defer s.mu.Unlock()
			s.t.Fatalf("%s heard %d %s, want %d, of %v; %v", s.name, count, typ, n, s.heard, s.faults)
		}
	}
}

// types counts what was heard, without what repeats by itself.
func (s *steady) types() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := map[string]int{}
	for _, m := range s.heard {
		if m.has("seq") {
			count[m.typ()]++
		}
	}
	return count
}

// dialNow dials the server that runs now.
func (w *world) dialNow(from string) (net.Conn, error) {
	w.netMu.Lock()
	n := w.net
	w.netMu.Unlock()
	return n.dial(from)
}
