package socketio

// This file is a client that does what it is told, so that the tests choose the order of things. It talks to the server
// over connections that never leave memory, as synctest wants it.

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// memory is a listener without a network.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error   { m.once.Do(func() { close(m.closed) }); return nil }
func (m *memory) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (m *memory) dial(context.Context, string, string) (net.Conn, error) {
	a, b := net.Pipe()
	select {
	case m.conns <- b:
		return a, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// lab is a server in memory.
type lab struct {
	*world
	t    *testing.T
	net  *memory
	http *http.Client
}

func newLab(t *testing.T, change ...func(*Config)) *lab {
	cfg := testConfig()
	for _, f := range change {
		f(&cfg)
	}
	l := &lab{t: t, world: newWorld(cfg), net: &memory{conns: make(chan net.Conn), closed: make(chan struct{})}}
	server := &http.Server{Handler: l.server}
	go server.Serve(l.net)
	transport := &http.Transport{DialContext: l.net.dial, MaxIdleConnsPerHost: 4}
	l.http = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
		for _, a := range l.apps { // as the end of the process would
			a.conn.fail(engineClose)
		}
	})
	return l
}

func (l *lab) app(i int) *echo {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.apps[i]
}

// do makes a request and returns its status and body.
func (l *lab) do(method, query, body string) (int, string) {
	l.t.Helper()
	var content io.Reader
	if method != http.MethodGet {
		content = strings.NewReader(body)
	}
	r, _ := http.NewRequest(method, "http://duet/socket.io/?"+query, content)
	answer, err := l.http.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(b)
}

const v4 = "EIO=4&transport=polling"

// open begins a polling session and returns the query that continues it.
func (l *lab) open(version string) string {
	l.t.Helper()
	status, body := l.do(http.MethodGet, version, "")
	_, text, _ := strings.Cut(body, "{")
	text, _, _ = strings.Cut(text, "}")
	var hello struct{ Sid string }
	if err := json.Unmarshal([]byte("{"+text+"}"), &hello); status != http.StatusOK || err != nil {
		l.t.Fatalf("open: %d %q: %v", status, body, err)
	}
	return version + "&sid=" + hello.Sid
}

func (l *lab) get(query string) (int, string) { l.t.Helper(); return l.do(http.MethodGet, query, "") }

func (l *lab) post(query, body string) (int, string) {
	l.t.Helper()
	return l.do(http.MethodPost, query, body)
}

// dial opens a WebSocket for what the query says.
func (l *lab) dial(query string) (*websocket.Conn, error) {
	d := websocket.Dialer{NetDialContext: l.net.dial}
	ws, _, err := d.Dial("ws://duet/socket.io/?"+strings.Replace(query, "transport=polling", "transport=websocket", 1), nil)
	if err == nil {
		l.t.Cleanup(func() { ws.Close() })
	}
	return ws, err
}

func (l *lab) mustDial(query string) *websocket.Conn {
	l.t.Helper()
	ws, err := l.dial(query)
	if err != nil {
		l.t.Fatal(err)
	}
	return ws
}

func (l *lab) say(ws *websocket.Conn, text string) {
	l.t.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		l.t.Errorf("write %q: %v", text, err)
	}
}

// hear reads the next message; "closed" when there is none any more.
func hear(ws *websocket.Conn) string {
	_, data, err := ws.ReadMessage()
	if err != nil {
		return "closed"
	}
	return string(data)
}

// want compares what was heard.
func (l *lab) want(ws *websocket.Conn, texts ...string) {
	l.t.Helper()
	for _, text := range texts {
		ws.SetReadDeadline(time.Now().Add(time.Hour))
		if got := hear(ws); got != text && !(strings.HasSuffix(text, "…") && strings.HasPrefix(got, strings.TrimSuffix(text, "…"))) {
			l.t.Fatalf("heard %q, want %q", got, text)
		}
	}
}

// packets splits the body of a poll.
func packets(body string) []string { return strings.Split(body, "\x1e") }
