package wsconn

// This file tests a connection over the kernel's TCP, with gorilla for the client.

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"duet/internal/spin"
	"duet/signaling/protocol"
)

// notes is a Receiver that notes what it is told.
type notes struct {
	messages chan string
	rang     chan []string
	lost     chan int
	gone     chan struct{}
}

func newNotes() *notes {
	return &notes{make(chan string, 1000), make(chan []string, 10), make(chan int, 1), make(chan struct{})}
}

func (h *notes) Message(text []byte)   { h.messages <- string(text) }
func (h *notes) Ping() bool            { return true }
func (h *notes) Pong(data []byte)      { h.messages <- "pong " + string(data) }
func (h *notes) Idle()                 {}
func (h *notes) Lost(code int)         { h.lost <- code }
func (h *notes) Gone()                 { close(h.gone) }
func (h *notes) Rang(calls []string)   { h.rang <- calls }
func (h *notes) next(t *testing.T) any { t.Helper(); return within(t, h.messages) }

// within takes from a channel, or fails: the limit is there for a fault, not for the machine.
func within[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func limits() Config {
	return Config{MaxMessage: 128 << 10, QueueFrames: 100, QueueBytes: 1 << 20, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute}
}

// pair is a connection and its client.
func pair(t *testing.T, cfg Config) (*Conn, *notes, *websocket.Conn) {
	t.Helper()
	u, h, made := New(cfg), newNotes(), make(chan *Conn, 1)
	var readers sync.WaitGroup
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := u.Upgrade(w, r, h)
		if err != nil {
			t.Error(err)
			return
		}
		made <- c
		readers.Go(c.Read)
	}))
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(server.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := within(t, made)
	t.Cleanup(func() {
		ws.Close()
		c.Abort()
		readers.Wait()
		server.Close()
	})
	return c, h, ws
}

func TestMessages(t *testing.T) {
	c, h, ws := pair(t, limits())
	long := strings.Repeat("ä", 60<<10)
	for _, text := range []string{"", "a", strings.Repeat("b", 126), long} {
		ws.WriteMessage(websocket.TextMessage, []byte(text))
		if got := h.next(t); got != text {
			t.Errorf("got %.20q, want %.20q", got, text)
		}
	}
	ws.SetPongHandler(func(data string) error { c.Push(protocol.Frame{Data: []byte("ponged " + data)}); c.Flush(); return nil })
	ws.WriteControl(websocket.PingMessage, []byte("x"), time.Time{})
	for _, f := range []protocol.Frame{{Data: []byte("one")}, {Data: []byte(long), Rings: "c_1"}, {Kind: protocol.Ping, Data: []byte("p")}, {Kind: protocol.List, Data: []byte("old")}, {Data: []byte("two")}, {Kind: protocol.List, Data: []byte("new")}} {
		c.Push(f)
	}
	c.Flush()
	var got []string
	for len(got) < 5 {
		_, b, err := ws.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(b[:min(len(b), 10)]))
	}
	if s := strings.Join(got, "|"); !strings.Contains(s, "one|"+long[:10]+"|new|two") || !strings.Contains(s, "ponged x") {
		t.Errorf("got %q", s)
	}
	if got := h.next(t); got != "pong p" {
		t.Errorf("got %v", got)
	}
	if calls := within(t, h.rang); len(calls) != 1 || calls[0] != "c_1" {
		t.Errorf("rang %v", calls)
	}
}

// TestRooms: what lies in a room is written as it was pushed, whoever uses the room next, be it long or short.
func TestRooms(t *testing.T) {
	cfg := limits()
	cfg.QueueFrames = 1000
	c, _, ws := pair(t, cfg)
	const senders, each = 4, 200
	var work sync.WaitGroup
	for i := range senders {
		work.Go(func() {
			for n := range each {
				room := protocol.NewRoom()
				room.Text = append(room.Text[:0], strings.Repeat(string(rune('a'+i)), 1+n*n%20000)...)
				c.Push(protocol.Frame{Data: room.Text, Room: room})
				if n%8 == 7 {
					c.Flush()
				}
			}
		})
	}
	work.Wait()
	c.Flush()
	var next [senders]int
	for range senders * each {
		_, b, err := ws.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		i := b[0] - 'a'
		if n := next[i]; string(b) != strings.Repeat(string(b[0]), 1+n*n%20000) {
			t.Fatalf("message %d of sender %c: %d bytes, %.20q", n, b[0], len(b), b)
		}
		next[i]++
	}
}

// TestEndBehindData: what closes the stream may have come before the bytes in front of it were read.
func TestEndBehindData(t *testing.T) {
	for range 50 {
		_, h, ws := pair(t, limits())
		ws.WriteMessage(websocket.TextMessage, []byte("last"))
		ws.NetConn().(*net.TCPConn).CloseWrite()
		if got := h.next(t); got != "last" {
			t.Fatalf("got %v", got)
		}
		if code := within(t, h.lost); code != protocol.CloseAbnormal {
			t.Fatalf("lost with %d", code)
		}
		within(t, h.gone)
	}
}

// TestCloses: every way to close a connection, and the code that each side hears.
func TestCloses(t *testing.T) {
	masked := func(head ...byte) []byte { return append(head, 0, 0, 0, 0) }
	for _, x := range []struct {
		what       string
		client     []byte
		code, lost int
	}{
		{"binary", masked(0x82, 0x80), 1003, 1003},
		{"no UTF-8", append(masked(0x81, 0x81), 0xff), 1007, 1007},
		{"too long", masked(0x81, 0xff, 0, 0, 0, 0, 0, 2, 0, 1), 1009, 1009},
		{"too long in two", append(append(masked(0x01, 0xff, 0, 0, 0, 0, 0, 2, 0, 0), make([]byte, 128<<10)...), masked(0x80, 0x81)...), 1009, 1009},
		{"no mask", []byte{0x81, 0x00}, 1002, 1002},
		{"an extension's bit", masked(0xc1, 0x80), 1002, 1002},
		{"an unknown opcode", masked(0x83, 0x80), 1002, 1002},
		{"a continuation of nothing", masked(0x80, 0x80), 1002, 1002},
		{"a message in a message", append(masked(0x01, 0x80), masked(0x81, 0x80)...), 1002, 1002},
		{"a ping in two", masked(0x09, 0x80), 1002, 1002},
		{"a long ping", masked(0x89, 0xfe, 0, 126), 1002, 1002},
		{"goodbye", append(masked(0x88, 0x82), 0x03, 0xe8), 1000, 1000},
		{"a code of the client's", append(masked(0x88, 0x84), 0x0f, 0xa0, 'o', 'k'), 4000, 4000},
		{"no code", masked(0x88, 0x80), 1005, 1005},
		{"half a code", append(masked(0x88, 0x81), 3), 1002, 1002},
		{"a code that is none", append(masked(0x88, 0x82), 0x03, 0xed), 1002, 1002},
	} {
		t.Run(x.what, func(t *testing.T) {
			for piece := range 2 {
				_, h, ws := pair(t, limits())
				for b := x.client; len(b) > 0; {
					n := len(b)
					if piece == 1 {
						n = min(len(b), max(1, len(b)/7))
					}
					ws.NetConn().Write(b[:n])
					b = b[n:]
				}
				_, _, err := ws.ReadMessage()
				var closed *websocket.CloseError
				if !errors.As(err, &closed) || closed.Code != x.code {
					t.Errorf("the client heard %v, want %d", err, x.code)
				}
				if got := within(t, h.lost); got != x.lost {
					t.Errorf("lost with %d, want %d", got, x.lost)
				}
				ws.Close()
				within(t, h.gone)
			}
		})
	}
}

// FuzzRead compares what is read with what gorilla reads from the same bytes.
func FuzzRead(f *testing.F) {
	m := []byte{1, 2, 3, 4}
	frame := func(b0 byte, text string) []byte {
		b := append([]byte{b0, 0x80 | byte(len(text))}, m...)
		for i := range len(text) {
			b = append(b, text[i]^m[i%4])
		}
		return b
	}
	f.Add(frame(0x81, "hello"), 3)
	f.Add(bytes.Join([][]byte{frame(0x01, "hel"), frame(0x89, "p"), frame(0x80, "lo"), frame(0x88, "\x03\xe8bye")}, nil), 4)
	f.Add(append([]byte{0x81, 0xfe, 0, 200}, append(m, bytes.Repeat([]byte("y"), 200)...)...), 50)
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		spin.Watch(t)
		want, wantEnd := byGorilla(t, bytes.Clone(b))
		h := newNotes()
		cfg := limits()
		cfg.MaxMessage = 300
		one, two := net.Pipe()
		defer one.Close()
		defer two.Close()
		c := &Conn{cfg: &cfg, to: h, sock: newSock(one)}
		for left := bytes.Clone(b); len(left) > 0 && c.in.end == 0; {
			n := min(len(left), max(1, piece&0x3f))
			c.received(left[:n])
			left = left[n:]
		}
		close(h.messages)
		var got []string
		for s := range h.messages {
			got = append(got, s)
		}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		switch {
		case c.in.end == closeTooBig && wantEnd == 0: // gorilla looks at the mask first, and gives no code for some lengths
		case c.in.end == closeProtocolError && wantEnd == closeNoStatus: // it takes half a code for none
		case c.in.end != wantEnd:
			t.Errorf("ends with %d, want %d", c.in.end, wantEnd)
		}
	})
}

// byGorilla reads as the connection should.
func byGorilla(t *testing.T, b []byte) (messages []string, end uint16) {
	ours, theirs := net.Pipe()
	said := make(chan uint16, 1)
	go func() { // what gorilla answers to a fault
		defer close(said)
		answer, _ := io.ReadAll(theirs)
		if _, after, is := bytes.Cut(answer, []byte("\r\n\r\n")); is && len(after) >= 4 {
			said <- uint16(after[2])<<8 | uint16(after[3])
		}
	}()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for k, v := range map[string]string{"Connection": "upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="} {
		r.Header.Set(k, v)
	}
	u := websocket.Upgrader{}
	ws, err := u.Upgrade(&taken{httptest.NewRecorder(), readFrom{ours, bytes.NewReader(b)}}, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(300)
	ws.SetPingHandler(func(string) error { return nil })
	ws.SetPongHandler(func(data string) error { messages = append(messages, "pong "+data); return nil })
	ws.SetCloseHandler(func(int, string) error { return nil })
	for {
		kind, data, err := ws.ReadMessage()
		var closed *websocket.CloseError
		switch {
		case errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure:
			end = uint16(closed.Code)
		case err == nil && kind == websocket.BinaryMessage:
			end = protocol.CloseUnsupported
		case err == nil && !utf8.Valid(data):
			end = protocol.CloseInvalidData
		case err == nil:
			messages = append(messages, string(data))
			continue
		}
		break
	}
	ours.Close()
	if code, is := <-said; is && end == 0 {
		end = code
	}
	return messages, end
}

type taken struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (h *taken) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(bytes.NewReader(nil)), bufio.NewWriter(io.Discard)), nil
}

type readFrom struct {
	net.Conn
	r io.Reader
}

func (r readFrom) Read(b []byte) (int, error) { return r.r.Read(b) }

// TestOneMessageInTime: pings do not keep a message open that never ends.
func TestOneMessageInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		cfg, h := limits(), newNotes()
		c := &Conn{cfg: &cfg, to: h, sock: newSock(ours)}
		c.sock.aliveUntil(time.Now(), cfg.IdleTimeout)
		go c.Read()
		go io.Copy(io.Discard, theirs)
		start := time.Now()
		ping := []byte{0x89, 0x80, 0, 0, 0, 0}
		for range 5 { // they keep a connection
			time.Sleep(cfg.IdleTimeout / 2)
			theirs.Write(ping)
		}
		theirs.Write([]byte{0x01, 0x81, 0, 0, 0, 0, 'a'})
		began := time.Now()
		for open := true; open; {
			theirs.SetWriteDeadline(time.Now().Add(time.Second))
			if _, err := theirs.Write(ping); err != nil {
				open = false
			}
			time.Sleep(cfg.IdleTimeout / 4)
			if time.Since(began) > 3*cfg.IdleTimeout {
				t.Fatalf("%s after it began the message is still open", time.Since(began))
			}
		}
		if code := <-h.lost; code != protocol.CloseAbnormal || began.Sub(start) < 2*cfg.IdleTimeout {
			t.Errorf("lost with %d after %s", code, began.Sub(start))
		}
		<-h.gone
	})
}
