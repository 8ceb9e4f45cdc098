package signaling

// This file runs over the kernel's TCP, where idle connections hold no buffers
// and writes do not wait: what in-memory connections cannot show.

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"duet/signaling/protocol"
)

// tcpWorld serves a hub on loopback; addr begins with its scheme.
func tcpWorld(t *testing.T, secure bool) (hub *Hub, addr string) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.WriteTimeout = 5 * time.Second
	hub, err := New(cfg, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(hub)
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { hub.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		work.Wait()
		server.Close()
	})
	return hub, "ws" + strings.TrimPrefix(server.URL, "http")
}

func tcpClient(t *testing.T, addr, name string) *client {
	t.Helper()
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // of a test on loopback
	ws, _, err := dialer.Dial(addr+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, name: name, ws: ws, raw: ws.NetConn(), in: make(chan msg, 10000)}
	var reads sync.WaitGroup
	reads.Go(c.read)
	t.Cleanup(func() {
		ws.Close()
		reads.Wait()
	})
	c.joins(name)
	return c
}

func TestCallOverTCP(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "TLS"}[secure], func(t *testing.T) { callOverTCP(t, secure) })
	}
}

func callOverTCP(t *testing.T, secure bool) {
	_, addr := tcpWorld(t, secure)
	a, b := tcpClient(t, addr, "Ann"), tcpClient(t, addr, "Bob")
	connect(a, b)
	sdp := strings.Repeat("v", 60<<10)
	a.send(msg{"type": "offer", "offer": msg{"type": "offer", "sdp": sdp}})
	if m := b.expect("offer"); m.obj("offer").str("sdp") != sdp {
		t.Error("a long offer came mangled")
	}
	// Frames that come together, in pieces that do not end where frames do.
	var together []byte
	for i := range 200 {
		text, _ := json.Marshal(msg{"type": "iceCandidate", "candidate": msg{"candidate": fmt.Sprint("candidate ", i)}})
		together = append(together, masked(text)...)
	}
	for len(together) > 0 {
		n := min(len(together), 1000)
		if _, err := a.raw.Write(together[:n]); err != nil {
			t.Fatal(err)
		}
		together = together[n:]
	}
	for i := range 200 {
		if m := b.expect("iceCandidate"); m.obj("candidate").str("candidate") != fmt.Sprint("candidate ", i) {
			t.Fatalf("got %v, want candidate %d", m, i)
		}
	}
	b.send(msg{"type": "leave"})
	if code := b.closed(); code != 1000 {
		t.Errorf("closed with %d", code)
	}
	a.expect("callEnded")
}

// masked is a client's text frame with a mask of zeros.
func masked(text []byte) []byte {
	frame := []byte{0x81}
	if len(text) < 126 {
		frame = append(frame, 0x80|byte(len(text)))
	} else {
		frame = append(frame, 0x80|126, byte(len(text)>>8), byte(len(text)))
	}
	return append(append(frame, 0, 0, 0, 0), text...)
}

// TestStuckOverTCP: a client that reads nothing holds nobody up, is dropped,
// and what was written to it until then arrives whole and in order.
func TestStuckOverTCP(t *testing.T) {
	hub, addr := tcpWorld(t, false)
	a := tcpClient(t, addr, "Ann")
	ws, _, err := websocket.DefaultDialer.Dial(addr+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	read := func(typ string) msg {
		for {
			var m msg
			if err := ws.ReadJSON(&m); err != nil {
				t.Fatal(err)
			}
			if m.typ() == typ {
				return m
			}
		}
	}
	ws.WriteJSON(msg{"type": "join", "username": "Bob"})
	read("welcome")
	a.send(msg{"type": "call", "target": "Bob"})
	read("incomingCall")
	ws.WriteJSON(msg{"type": "callResponse", "accepted": true})
	a.expect("callAnswered")
	sdp := strings.Repeat("s", 50<<10)
	sent := 0
	for ended := false; !ended && sent < 900; sent++ {
		a.send(msg{"type": "offer", "offer": msg{"type": "offer", "sdp": fmt.Sprint(sent, sdp)}})
		a.send(msg{"type": "ping", "t": sent})
		for answered := false; !answered; {
			switch m := a.next(); m.typ() {
			case "pong":
				answered = true
			case "callEnded":
				ended = true
			}
		}
	}
	if sent == 900 {
		t.Fatal("45 MB were taken for a client that does not read")
	}
	for i := 0; ; i++ {
		var m msg
		if err := ws.ReadJSON(&m); err != nil {
			if i == 0 || i > sent {
				t.Errorf("%d of %d offers came: %v", i, sent, err)
			}
			break
		}
		if m.typ() != "offer" {
			i--
			continue
		}
		if got := m.obj("offer").str("sdp"); !strings.HasPrefix(got, fmt.Sprint(i, "s")) || len(got) < len(sdp) {
			t.Fatalf("offer %d came mangled", i)
		}
	}
	hub.mu.Lock()
	defer hub.mu.Unlock()
	if len(hub.sessions) != 1 {
		t.Errorf("%d sessions are left", len(hub.sessions))
	}
}

// TestListBlocksNobody: the first list of a client with deltas does not count as
// unread, but whoever comes to write it does not wait for the client either.
func TestListBlocksNobody(t *testing.T) {
	hub, addr := tcpWorld(t, false)
	ws, _, err := websocket.DefaultDialer.Dial(addr+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	ws.WriteJSON(msg{"type": "join", "username": "Ann", "features": []string{"presence-delta"}})
	var welcome msg
	if err := ws.ReadJSON(&welcome); err != nil {
		t.Fatal(err)
	}
	hub.mu.Lock()
	c := hub.sessions[welcome.str("id")].conn
	hub.mu.Unlock()
	c.push(protocol.Frame{Data: bytes.Repeat([]byte("x"), 32<<20)}) // more than the kernel takes
	start := time.Now()
	c.flush()
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("waited %s for a client that does not read", d)
	}
}
