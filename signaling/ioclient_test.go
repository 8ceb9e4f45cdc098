package signaling

// This file lets a test's client come by Socket.IO, over any transport: it speaks the protocol and shows the same messages.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// The ways in.
const (
	plainWS    = "plain"
	ioWS       = "websocket"
	ioPolling  = "polling"
	ioUpgraded = "upgraded"
)

var waysIn = []string{plainWS, ioWS, ioPolling, ioUpgraded}

// ioClient is a client's Socket.IO.
type ioClient struct {
	w    *world
	c    *client
	http *http.Client
	from string
	head http.Header

	sid, pid string // of Engine.IO, of recovery
	deaf     bool   // answers no pings
	ctx      context.Context
	end      context.CancelFunc
	reader   sync.WaitGroup

	posting sync.Mutex // clients send one thing after the other

	mu        sync.Mutex
	ws        *websocket.Conn
	offset    string
	recovered bool
	said      []string // packets that are no events, in their order
	early     int      // events before CONNECT's answer
	goodbye   bool     // 41 came
}

// comes is a client by one of the ways; auth is what it sends with CONNECT.
func (w *world) comes(way, auth string, opts ...dialOption) *client {
	w.t.Helper()
	c, err := w.tryCome(way, auth, opts...)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) tryCome(way, auth string, opts ...dialOption) (*client, error) {
	if way == plainWS {
		c, _, err := w.tryDial(opts...)
		return c, err
	}
	to := dialing{header: http.Header{}, from: "127.0.0.1"}
	for _, o := range opts {
		o(&to)
	}
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return w.dialNow(to.from) }}
	i := &ioClient{w: w, http: &http.Client{Transport: transport}, from: to.from, head: to.header}
	i.ctx, i.end = context.WithCancel(context.Background())
	i.c = &client{t: w.t, io: i, in: make(chan msg, 100000)}
	w.t.Cleanup(func() { i.cut(); transport.CloseIdleConnections() })
	if way == ioWS {
		if err := i.dial("EIO=4&transport=websocket"); err != nil {
			return nil, err
		}
		i.take(i.heard())
	} else {
		body, err := i.request("GET", "EIO=4&transport=polling", "")
		if err != nil {
			return nil, err
		}
		i.take(body)
	}
	i.put("40" + auth)
	for way == ioUpgraded || way == ioPolling {
		body, err := i.request("GET", i.query(), "")
		if err != nil {
			return nil, err
		}
		i.takeAll(body)
		if strings.Contains(body, "40{") {
			break
		}
	}
	switch way {
	case ioPolling:
		i.reader.Go(i.poll)
	case ioUpgraded:
		i.posting.Lock() // until the WebSocket is the transport
		defer i.posting.Unlock()
		if err := i.dial(strings.Replace(i.query(), "polling", "websocket", 1)); err != nil {
			return nil, err
		}
		i.ws.WriteMessage(websocket.TextMessage, []byte("2probe"))
		if got := i.heard(); got != "3probe" {
			return nil, fmt.Errorf("the probe is answered by %q", got)
		}
		body, err := i.request("GET", i.query(), "")
		if err != nil {
			return nil, err
		}
		i.takeAll(body)
		i.ws.WriteMessage(websocket.TextMessage, []byte("5"))
		i.reader.Go(i.read)
	default:
		for i.c.id == "" {
			if !i.take(i.heard()) {
				return nil, errors.New("closed before CONNECT was answered")
			}
		}
		i.reader.Go(i.read)
	}
	return i.c, nil
}

func (i *ioClient) query() string { return "EIO=4&transport=polling&sid=" + i.sid }

func (i *ioClient) dial(query string) error {
	d := websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) { return i.w.dialNow(i.from) }}
	ws, answer, err := d.Dial("ws://duet.test/socket.io/?"+query, i.head)
	if err != nil {
		if answer != nil {
			err = fmt.Errorf("%w: %s", err, answer.Status)
		}
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ws = ws
	return nil
}

func (i *ioClient) request(method, query, body string) (string, error) {
	r, err := http.NewRequestWithContext(i.ctx, method, "http://duet.test/socket.io/?"+query, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	for k, v := range i.head {
		r.Header[k] = v
	}
	answer, err := i.http.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, b)
	}
	return string(b), err
}

// put sends a packet by the transport of the moment.
func (i *ioClient) put(packet string) {
	i.posting.Lock()
	defer i.posting.Unlock()
	i.mu.Lock()
	ws := i.ws
	i.mu.Unlock()
	if ws != nil {
		ws.WriteMessage(websocket.TextMessage, []byte(packet))
	} else {
		i.request("POST", i.query(), packet)
	}
}

// emit sends a message, which is JSON with a type, as an event.
func (i *ioClient) emit(data string) {
	var m struct {
		Type any `json:"type"`
	}
	if err := json.Unmarshal([]byte(data), &m); err != nil || m.Type == nil {
		i.put(data) // raw
		return
	}
	name, _ := json.Marshal(m.Type)
	i.put(`42[` + string(name) + `,` + data + `]`)
}

func (i *ioClient) heard() string {
	_, b, err := i.ws.ReadMessage()
	if err != nil {
		return ""
	}
	return string(b)
}

func (i *ioClient) read() {
	defer close(i.c.in)
	for {
		_, b, err := i.ws.ReadMessage()
		if err != nil {
			i.ws.Close()
			return
		}
		i.take(string(b))
	}
}

func (i *ioClient) poll() {
	defer close(i.c.in)
	for {
		body, err := i.request("GET", i.query(), "")
		if err != nil || !i.takeAll(body) {
			return
		}
	}
}

func (i *ioClient) takeAll(body string) bool {
	for _, packet := range strings.Split(body, "\x1e") {
		if !i.take(packet) {
			return false
		}
	}
	return true
}

// take handles a packet; false ends the session.
func (i *ioClient) take(packet string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case packet == "1", packet == "": // the end, or of the stream
		return false
	case packet == "2":
		if !i.deaf {
			go i.put("3")
		}
	case strings.HasPrefix(packet, "0{"), strings.HasPrefix(packet, "40{"):
		var hello struct{ Sid, Pid string }
		json.Unmarshal([]byte(packet[strings.IndexByte(packet, '{'):]), &hello)
		if packet[0] == '0' {
			i.sid = hello.Sid
		} else {
			i.pid, i.c.id = hello.Pid, hello.Sid
			i.early = len(i.c.in)
		}
	case strings.HasPrefix(packet, "42["):
		var list []json.RawMessage
		var m msg
		if err := json.Unmarshal([]byte(packet[2:]), &list); err != nil || len(list) < 2 || json.Unmarshal(list[1], &m) != nil || m.has("type") {
			panic(fmt.Sprintf("server sent %q: %v", packet, err))
		}
		var name string
		json.Unmarshal(list[0], &name)
		m["type"] = name
		if len(list) == 3 {
			json.Unmarshal(list[2], &i.offset)
			if n, err := strconv.Atoi(i.offset); err != nil || n < 1 {
				panic("offset " + i.offset)
			}
		}
		i.c.in <- m
	case packet == "41":
		i.goodbye = true
	default:
		i.said = append(i.said, packet)
	}
	return true
}

// cut breaks the connection.
func (i *ioClient) cut() {
	synctest.Wait() // a poll is under way, by which the server notices
	i.mu.Lock()
	ws := i.ws
	i.mu.Unlock()
	if ws != nil {
		ws.Close()
	}
	i.end()
	i.reader.Wait()
	i.closeIdle()
}

// closeIdle closes the connections of requests that are over, also of the last one, which becomes idle a moment later.
func (i *ioClient) closeIdle() {
	synctest.Wait()
	i.http.Transport.(*http.Transport).CloseIdleConnections()
}

// again is the client on a new connection that asks for its session.
func (i *ioClient) again(way string) *client {
	i.w.t.Helper()
	i.mu.Lock()
	auth, _ := json.Marshal(map[string]string{"pid": i.pid, "offset": i.offset})
	i.mu.Unlock()
	c := i.w.comes(way, string(auth))
	c.name = i.c.name
	c.io.mu.Lock()
	defer c.io.mu.Unlock()
	c.io.recovered = c.io.pid == i.pid
	if c.io.offset == "" {
		c.io.offset = i.offset
	}
	return c
}

// gone waits for the end of the connection, and reports whether the server said goodbye.
func (i *ioClient) gone() bool {
	i.w.t.Helper()
	end := time.After(time.Minute)
	for {
		select {
		case _, open := <-i.c.in:
			if !open {
				i.mu.Lock()
				defer i.mu.Unlock()
				return i.goodbye
			}
		case <-end:
			i.w.t.Fatalf("%s: the connection stays open", i.c.name)
		}
	}
}

// joinsBy comes by a way and joins.
func (w *world) joinsBy(way, name string, features ...string) *client {
	w.t.Helper()
	c := w.comes(way, "")
	announced := c.id
	c.name = name
	c.joins(name, features...)
	if way != plainWS && c.id != announced {
		w.t.Fatalf("%s: CONNECT said %s, welcome says %s", name, announced, c.id)
	}
	return c
}

func forEachWay(t *testing.T, try func(t *testing.T, way string)) {
	for _, way := range waysIn[1:] {
		t.Run(way, func(t *testing.T) { try(t, way) })
	}
}
