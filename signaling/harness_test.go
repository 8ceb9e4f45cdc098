package signaling

// This file is the world of the tests: a real hub behind a real HTTP server,
// and WebSocket clients, over in-memory connections.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// world is one server and its clients.
type world struct {
	t    testing.TB
	hub  *Hub
	cfg  Config
	deps Deps
	stop func()

	netMu sync.Mutex
	net   *memNet
}

// newWorld starts a server; change may set options.
func newWorld(t testing.TB, change ...func(*Config, *Deps)) *world {
	t.Helper()
	w := &world{t: t, cfg: DefaultConfig(), deps: Deps{Key: []byte("0123456789abcdef0123456789abcdef"), ServerName: "duet", Version: "test"}}
	for _, f := range change {
		f(&w.cfg, &w.deps)
	}
	w.start()
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *world) start() {
	w.t.Helper()
	hub, err := New(w.cfg, w.deps)
	if err != nil {
		w.t.Fatal(err)
	}
	listener := newMemNet()
	w.netMu.Lock()
	w.hub, w.net = hub, listener
	w.netMu.Unlock()
	mux := http.NewServeMux()
	mux.Handle("/", hub)
	if io := hub.SocketIO(); io != nil {
		mux.Handle("/socket.io/", io)
	}
	server := &http.Server{Handler: mux}
	ctx, cancel := context.WithCancel(context.Background())
	var ran, served sync.WaitGroup
	ran.Go(func() { hub.Run(ctx) })
	served.Go(func() { server.Serve(listener) })
	w.stop = sync.OnceFunc(func() {
		cancel()
		ran.Wait() // it has something to tell those who poll
		server.Close()
		served.Wait()
	})
}

// memNet is a listener whose connections never leave memory.
type memNet struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemNet() *memNet { return &memNet{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (n *memNet) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *memNet) Close() error   { n.once.Do(func() { close(n.closed) }); return nil }
func (n *memNet) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (n *memNet) dial(from string) (net.Conn, error) {
	a, b := net.Pipe()
	select {
	case n.conns <- addressed{b, from}:
		return a, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

type addressed struct {
	net.Conn
	from string
}

func (a addressed) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(a.from), Port: 4000}
}

// client is somebody's WebSocket.
type client struct {
	t    testing.TB
	name string
	ws   *websocket.Conn
	raw  net.Conn
	in   chan msg
	// After in is closed:
	code int // close code, or 0 when the stream broke

	// What a client with feature resume keeps.
	id, session string

	io *ioClient // how it sends, when not by ws
}

type msg map[string]any

func (m msg) typ() string         { s, _ := m["type"].(string); return s }
func (m msg) str(k string) string { s, _ := m[k].(string); return s }
func (m msg) num(k string) int    { f, _ := m[k].(float64); return int(f) }
func (m msg) flag(k string) bool  { b, _ := m[k].(bool); return b }
func (m msg) obj(k string) msg    { o, _ := m[k].(map[string]any); return o }
func (m msg) has(k string) bool   { _, is := m[k]; return is }

type dialing struct {
	header http.Header
	from   string
	setUp  func(*websocket.Conn)
}

type dialOption func(*dialing)

func fromIP(ip string) dialOption { return func(d *dialing) { d.from = ip } }
func withHeader(k, v string) dialOption {
	return func(d *dialing) { d.header[k] = append(d.header[k], v) }
}
func with(f func(*websocket.Conn)) dialOption { return func(d *dialing) { d.setUp = f } }

func (w *world) tryDial(opts ...dialOption) (*client, *http.Response, error) {
	to := dialing{header: http.Header{}, from: "127.0.0.1", setUp: func(*websocket.Conn) {}}
	for _, o := range opts {
		o(&to)
	}
	var raw net.Conn
	d := websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) {
		var err error
		raw, err = w.dialNow(to.from)
		return raw, err
	}}
	ws, resp, err := d.Dial("ws://duet.test/ws", to.header)
	if err != nil {
		return nil, resp, err
	}
	c := &client{t: w.t, ws: ws, raw: raw, in: make(chan msg, 100000)}
	to.setUp(ws)
	go c.read()
	w.t.Cleanup(func() { ws.Close() })
	return c, resp, nil
}

func (w *world) dial(opts ...dialOption) *client {
	w.t.Helper()
	c, _, err := w.tryDial(opts...)
	if err != nil {
		w.t.Fatal("dial:", err)
	}
	return c
}

func (c *client) read() {
	defer close(c.in)
	for {
		_, data, err := c.ws.ReadMessage()
		if err != nil {
			var closed *websocket.CloseError
			if errors.As(err, &closed) {
				c.code = closed.Code
			}
			c.ws.Close()
			return
		}
		var m msg
		if err := json.Unmarshal(data, &m); err != nil {
			panic(fmt.Sprintf("server sent %q: %v", data, err))
		}
		c.in <- m
	}
}

// send writes a message given as JSON, or as anything that encodes to it.
func (c *client) send(v any) {
	c.t.Helper()
	data, isText := v.(string)
	if !isText {
		b, err := json.Marshal(v)
		if err != nil {
			c.t.Fatal(err)
		}
		data = string(b)
	}
	if c.io != nil {
		c.io.emit(data)
		return
	}
	if err := c.ws.WriteMessage(websocket.TextMessage, []byte(data)); err != nil && !errors.Is(err, websocket.ErrCloseSent) && !errors.Is(err, io.ErrClosedPipe) {
		c.t.Fatalf("%s: send %.80s: %v", c.name, data, err)
	}
}

// next is the next message of any type.
func (c *client) next() msg {
	c.t.Helper()
	select {
	case m, open := <-c.in:
		if !open {
			c.t.Fatalf("%s: connection closed with %d", c.name, c.code)
		}
		if m.typ() == "session" {
			c.session = m.str("session")
		}
		return m
	case <-time.After(10 * time.Second):
		c.t.Fatalf("%s: nothing came", c.name)
		return nil
	}
}

// quietTypes may come at any time.
var quietTypes = []string{"userList", "presence", "session"}

// expect is the next message but for lists and tokens, which must be of typ.
func (c *client) expect(typ string) msg {
	c.t.Helper()
	for {
		m := c.next()
		if m.typ() == typ {
			return m
		}
		if !slices.Contains(quietTypes, m.typ()) {
			c.t.Fatalf("%s: got %v, want %s", c.name, m, typ)
		}
	}
}

// nothing fails if anything but lists and tokens comes within d.
func (c *client) nothing(d time.Duration) {
	c.t.Helper()
	end := time.After(d)
	for {
		select {
		case m, open := <-c.in:
			if !open {
				c.t.Fatalf("%s: connection closed with %d", c.name, c.code)
			}
			if !slices.Contains(quietTypes, m.typ()) {
				c.t.Fatalf("%s: got %v, want nothing", c.name, m)
			}
		case <-end:
			return
		}
	}
}

// refused expects an error with a code.
func (c *client) refused(code string) msg {
	c.t.Helper()
	m := c.expect("error")
	if m.str("code") != code {
		c.t.Fatalf("%s: got %v, want error %s", c.name, m, code)
	}
	return m
}

// closed waits for the end of the connection and returns its code.
func (c *client) closed() int {
	c.t.Helper()
	end := time.After(time.Minute)
	for {
		select {
		case _, open := <-c.in:
			if !open {
				return c.code
			}
		case <-end:
			c.t.Fatalf("%s: the connection stays open", c.name)
		}
	}
}

// join enters with a name and features, and takes welcome and the list.
func (w *world) join(name string, features ...string) *client {
	w.t.Helper()
	c := w.dial()
	c.name = name
	c.joins(name, features...)
	return c
}

func (c *client) joins(name string, features ...string) msg {
	c.t.Helper()
	m := map[string]any{"type": "join", "username": name}
	if features != nil {
		m["features"] = features
	}
	c.send(m)
	welcome := c.next()
	if welcome.typ() != "welcome" {
		c.t.Fatalf("%s: got %v, want welcome", name, welcome)
	}
	c.id, c.session = welcome.str("id"), welcome.str("session")
	if !slices.Contains(features, "presence-none") {
		if list := c.next(); list.typ() != "userList" {
			c.t.Fatalf("%s: got %v, want userList", name, list)
		}
	}
	return welcome
}

// connect takes two clients into an accepted call.
func connect(a, b *client) (call string) {
	a.t.Helper()
	a.send(msg{"type": "call", "target": b.name})
	call = b.expect("incomingCall").str("callId")
	b.send(msg{"type": "callResponse", "accepted": true})
	if m := a.expectSkipping("callAnswered", "ringing"); !m.flag("accepted") {
		a.t.Fatalf("got %v", m)
	}
	return call
}

// askForRelay has both ask, who have no feature that says that they take part.
func askForRelay(a, b *client) {
	for _, x := range []*client{a, b} {
		x.send(msg{"type": "relayRequest", "reason": "user"})
	}
}

// expectSkipping is expect that lets other types pass.
func (c *client) expectSkipping(typ string, skip ...string) msg {
	c.t.Helper()
	for {
		m := c.next()
		if m.typ() == typ {
			return m
		}
		if !slices.Contains(skip, m.typ()) && !slices.Contains(quietTypes, m.typ()) {
			c.t.Fatalf("%s: got %v, want %s", c.name, m, typ)
		}
	}
}

// equal compares all fields of a message but the numbering.
func (c *client) equal(got, want msg) {
	c.t.Helper()
	trimmed := msg{}
	for k, v := range got {
		if k != "seq" && (k != "ack" || !got.has("seq")) {
			trimmed[k] = v
		}
	}
	b, _ := json.Marshal(want)
	var normal msg
	json.Unmarshal(b, &normal)
	if !reflect.DeepEqual(trimmed, normal) {
		c.t.Fatalf("%s:\n got %v\nwant %v", c.name, trimmed, normal)
	}
}

// expectAfter is expect for something that takes up to d.
func (c *client) expectAfter(typ string, d time.Duration) msg {
	c.t.Helper()
	end := time.After(d)
	for {
		select {
		case m, open := <-c.in:
			if !open {
				c.t.Fatalf("%s: connection closed with %d", c.name, c.code)
			}
			if m.typ() == typ {
				return m
			}
			if !slices.Contains(quietTypes, m.typ()) {
				c.t.Fatalf("%s: got %v, want %s", c.name, m, typ)
			}
		case <-end:
			c.t.Fatalf("%s: no %s within %s", c.name, typ, d)
		}
	}
}
