package socketio

// This file is the world of the tests: an application that echoes, WebSockets by gorilla, and a server for the official
// suites of both protocols:
//
//	go test ./signaling/socketio -run TestServe -listen 127.0.0.1:3000

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

var listen = flag.String("listen", "", "serve the official suites at this address until interrupted")

// TestServe answers what the suites expect: at /engine.io/ it sends every message back; at /socket.io/ it has the
// namespaces / and /custom, which say auth with what CONNECT brought, answer message by message-back and
// message-with-ack by an acknowledgement, each with the same arguments.
func TestServe(t *testing.T) {
	if *listen == "" {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: suites()}
		go server.Serve(listener)
		defer server.Close()
		answer, err := http.Get("http://" + listener.Addr().String() + "/engine.io/?EIO=4&transport=polling")
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatal(answer, err)
		}
		answer.Body.Close()
		return
	}
	t.Log(http.ListenAndServe(*listen, suites()))
}

func suites() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/engine.io/", "/socket.io/"} {
		cfg := testConfig()
		cfg.PingInterval, cfg.PingTimeout, cfg.MaxPayload = 300*time.Millisecond, 200*time.Millisecond, 1000000
		w := newWorld(cfg)
		if path == "/engine.io/" {
			w.server.message = func(c *Conn, b []byte) bool {
				c.Push(engine(engineMessage, string(b)))
				c.Flush()
				return true
			}
		}
		mux.Handle(path, w.server)
	}
	return mux
}

func testConfig() Config {
	return Config{
		PingInterval: 15 * time.Second, PingTimeout: 25 * time.Second, ConnectTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		MaxPayload: 128 << 10, QueuePackets: 4096, QueueBytes: 2 << 20,
		Check: func(b []byte) (bool, bool) { return json.Valid(b), true },
	}
}

// world is a server and those who are there.
type world struct {
	server *Server

	mu    sync.Mutex
	apps  []*echo
	gone  int
	allow bool
}

func newWorld(cfg Config) *world {
	w := &world{allow: true}
	cfg.Admit = func(_ http.ResponseWriter, r *http.Request, c *Conn) App {
		a := &echo{world: w, conn: c}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.apps = append(w.apps, a)
		return a
	}
	cfg.Upgrade = upgradeByGorilla(cfg.MaxPayload)
	w.server = New(cfg)
	return w
}

// echo is an application.
type echo struct {
	world *world
	conn  *Conn

	mu     sync.Mutex
	events []string
	acked  uint64
	marks  []string
	pongs  int
	lost   bool
	gone   bool
}

func (a *echo) note(s string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, s)
}

func (a *echo) Name() string { return fmt.Sprintf("a-name-%p", a) }

func (a *echo) Allow() bool {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	return a.world.allow
}

func (a *echo) AllowRequest() bool { return a.Allow() }

func (a *echo) Connect(space string, auth []byte) {
	a.note("connect " + space)
	if space != "/" && space != "/custom" {
		a.conn.Refuse(space, `"Invalid namespace"`)
	} else {
		if len(auth) == 0 {
			auth = []byte("{}")
		}
		a.conn.Accept(space, `{"sid":"a-name"}`)
		if !a.conn.v3 {
			a.conn.Push(Message(prefix(typeEvent, space), `["auth",`, string(auth), `]`))
		}
	}
	a.conn.Flush()
}

func (a *echo) Event(e Event) {
	a.note(e.Space + " " + string(e.Args))
	switch string(e.Name) {
	case `"message"`:
		a.conn.Push(Message(prefix(typeEvent, e.Space), strings.Replace(string(e.Args), `"message"`, `"message-back"`, 1)))
	case `"message-with-ack"`:
		args := strings.Replace(string(e.Args), `"message-with-ack"`, "", 1)
		a.conn.Acknowledge(e, "["+strings.TrimPrefix(args[1:], ","))
	default:
		if e.ID != nil {
			a.conn.Acknowledge(e, "[]")
		}
	}
	a.conn.Flush()
}

func (a *echo) Disconnect(space string) { a.note("disconnect " + space) }

func (a *echo) Acknowledged(seq uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.acked = seq
}

func (a *echo) Pong() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pongs++
}

func (a *echo) Settle() {}

func (a *echo) Written(marks []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.marks = append(a.marks, marks...)
}

func (a *echo) Lost() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lost {
		panic("lost twice")
	}
	a.lost = true
}

func (a *echo) Gone() {
	a.mu.Lock()
	if a.gone {
		panic("gone twice")
	}
	a.gone = true
	a.mu.Unlock()
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	a.world.gone++
}

// socket is a Stream.
type socket struct {
	ws *websocket.Conn

	mu      sync.Mutex
	queue   []Packet
	writing bool
	closing []byte
}

func upgradeByGorilla(limit int) func(http.ResponseWriter, *http.Request, *Conn, func(Stream) Receiver) bool {
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	return func(w http.ResponseWriter, r *http.Request, _ *Conn, opened func(Stream) Receiver) bool {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return false
		}
		ws.SetReadLimit(int64(limit))
		s := &socket{ws: ws}
		to := opened(s)
		for {
			kind, data, err := ws.ReadMessage()
			if err != nil {
				break
			}
			if kind == websocket.BinaryMessage {
				to.Binary(data)
			} else {
				to.Text(data)
			}
		}
		to.Idle()
		to.Lost()
		ws.Close()
		to.Gone()
		return true
	}
}

func (s *socket) Push(p Packet) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, p)
	return true
}

func (s *socket) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushLocked()
}

func (s *socket) flushLocked() {
	if !s.writing {
		s.writing = true
		go s.write()
	}
}

func (s *socket) write() {
	for {
		s.mu.Lock()
		queue, closing := s.queue, s.closing
		s.queue = nil
		if len(queue) == 0 && closing == nil {
			s.writing = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		for i := range queue {
			s.ws.WriteMessage(websocket.TextMessage, Append(nil, queue[i].Data(), queue[i].Tail, queue[i].Seq))
		}
		if closing != nil {
			s.ws.WriteControl(websocket.CloseMessage, closing, time.Now().Add(time.Second))
			s.ws.Close()
			return
		}
	}
}

func (s *socket) Abort() { s.ws.Close() }

func (s *socket) Close(code uint16, words string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = websocket.FormatCloseMessage(int(code), words)
	s.flushLocked()
}
