package main

// Signals and junk, as they come in the world.

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// join opens a WebSocket and joins; what comes before the answer is read.
func join(t *testing.T, page, name string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(page, "http")+"/ws", http.Header{"Origin": {page}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if err := c.WriteJSON(map[string]any{"type": "join", "username": name, "features": []string{"resume"}}); err != nil {
		t.Fatal(err)
	}
	await(t, c, "userList")
	return c
}

// await reads until a message of this type comes.
func await(t *testing.T, c *websocket.Conn, kind string) {
	t.Helper()
	for {
		var m struct{ Type string }
		if err := c.ReadJSON(&m); err != nil {
			t.Fatalf("no %s: %v", kind, err)
		}
		if m.Type == kind {
			return
		}
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	s := start(t, duet(t, nil))
	c := join(t, s.page, "alice")
	c.SetCloseHandler(func(int, string) error { return nil }) // the server waits for an answer that does not come
	s.cmd.Process.Signal(syscall.SIGTERM)
	await(t, c, "goingAway")
	if _, _, err := c.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("got %v, want the server to close", err)
	}
	s.cmd.Process.Signal(os.Interrupt)
	if err := s.cmd.Wait(); err == nil {
		t.Error("ended with exit code 0, though it was cut short")
	}
	if !strings.Contains(s.stderr.String(), "at once by a second signal") {
		t.Errorf("got\n%s", s.stderr)
	}
}

// junk is noise that begins like something that a port may expect.
func junk(random *rand.Rand) []byte {
	b := make([]byte, 1+random.IntN(1400))
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	starts := []string{
		"", "\x00\x01\x00\x00\x21\x12\xa4\x42", "\x00\x03\x00\x08\x21\x12\xa4\x42", "\x40\x00\x00\x04", "\x7f\xff\xff\xff", "\x16\x03\x01\x02\x00\x01",
		"\x16\xfe\xff\x00", "\x80\x60", "\x80\xc8", "GET /ws HTTP/1.1\r\n", "POST /api/v1/turn-credentials HTTP/1.1\r\nContent-Length: 1e9\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n",
		"PROXY TCP4 1.2.3.4 ", "\r\n\r\n\x00\r\nQUIT\n",
	}
	copy(b, starts[random.IntN(len(starts))])
	return b
}

// TestJunkOnEverySocket: noise on all ports at once takes nothing away from those who are connected or come later.
func TestJunkOnEverySocket(t *testing.T) {
	turn, relay := freePort(t), freePort(t)
	s := start(t, duet(t, []string{"DUET_TURN_LISTEN=" + turn, "DUET_RELAY_LISTEN=" + relay}))
	alice, bob := join(t, s.page, "alice"), join(t, s.page, "bob")

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, addr := range []string{strings.TrimPrefix(s.page, "http://"), strings.TrimPrefix(s.more, "http://"), turn, relay} {
		for range 50 {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close() // until the end of the test: connections that hang are part of it
			c.Write(junk(random))
		}
	}
	for _, addr := range []string{turn, relay} {
		c, err := net.Dial("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range 2000 {
			c.Write(junk(random))
		}
	}
	for i, text := range []string{"", "{", "null", "[]", `{"type":1}`, `{"type":"call"}`, `{"type":"offer","target":"bob","sdp":{}}`, strings.Repeat("[", 10_000)} {
		c := join(t, s.page, fmt.Sprintf("carol%d", i))
		c.WriteMessage(websocket.TextMessage, []byte(text))
		await(t, c, "error")
	}
	c := join(t, s.page, "dave")
	c.WriteMessage(websocket.BinaryMessage, junk(random))
	c.NetConn().Write(junk(random))

	if err := alice.WriteJSON(map[string]any{"type": "call", "target": "bob"}); err != nil {
		t.Fatal(err)
	}
	await(t, bob, "incomingCall")
	if code, _ := s.get(t, s.page+"/"); code != 200 {
		t.Errorf("the page: got %d", code)
	}
	for _, network := range []string{"tcp", "udp"} {
		c, err := net.Dial(network, turn)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if network == "tcp" {
			bindingAnswered(t, c)
			continue
		}
		if _, err := c.Write([]byte("\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl")); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 100)
		if n, err := io.ReadAtLeast(c, answer, 20); err != nil || !bytes.Equal(answer[:2], []byte{1, 1}) {
			t.Errorf("STUN over UDP: got %x, %v", answer[:n], err)
		}
	}
	s.cmd.Process.Signal(os.Interrupt)
	err := s.cmd.Wait()
	said := s.stderr.String()
	if err != nil {
		t.Errorf("ended with %v:\n%.4000s", err, said)
	}
	if strings.Contains(said, "panic") || strings.Count(said, "\n") > 1000 {
		t.Errorf("got %d lines in the log:\n%.4000s", strings.Count(said, "\n"), said)
	}
}
