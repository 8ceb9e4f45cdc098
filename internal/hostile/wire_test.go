package hostile

// This file is a user's connections: a WebSocket from an address of its own, and plain streams.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// patience bounds every wait; nothing waits this long when it works.
const patience = 20 * time.Second

type object = map[string]any

// stream opens a TCP connection that comes from ip, as the PROXY protocol says.
func (s *server) stream(ip, to string) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", to, patience)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(c, "PROXY TCP4 %s 127.0.0.1 40000 80\r\n", ip); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// wire is one user's connection. Messages that nobody awaits are passed over.
type wire struct {
	ip string
	ws *websocket.Conn

	mu sync.Mutex // of writers
}

func (s *server) dial(ip string) (*wire, error) {
	d := websocket.Dialer{HandshakeTimeout: patience, NetDialContext: func(context.Context, string, string) (net.Conn, error) { return s.stream(ip, s.http) }}
	ws, resp, err := d.Dial("ws://"+s.http+"/ws", http.Header{})
	if err != nil {
		if resp != nil {
			err = fmt.Errorf("%w: %s", err, resp.Status)
		}
		return nil, err
	}
	return &wire{ip: ip, ws: ws}, nil
}

func (w *wire) send(m object) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.ws.SetWriteDeadline(time.Now().Add(patience)) // of a socket that is open, as WriteJSON finds out
	return w.ws.WriteJSON(m)
}

func (w *wire) next() (m object, err error) {
	_ = w.ws.SetReadDeadline(time.Now().Add(patience)) // see send
	_, b, err := w.ws.ReadMessage()
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	return m, err
}

// await reads until a message of one of the types comes.
func (w *wire) await(types ...string) (object, error) {
	for {
		m, err := w.next()
		if err != nil {
			return nil, fmt.Errorf("waiting for %s: %w", types, err)
		}
		for _, typ := range types {
			if m["type"] == typ {
				return m, nil
			}
		}
		switch m["type"] {
		case "error", "relayFailed", "callEnded", "userUnavailable":
			text, _ := json.Marshal(m)
			return nil, fmt.Errorf("waiting for %s: %w: %s", types, errRefused, text)
		}
	}
}

// read gives messages one after the other until the connection ends, which a silent one does not.
func (w *wire) read(each func([]byte)) error {
	_ = w.ws.SetReadDeadline(time.Time{}) // see send
	for {
		_, b, err := w.ws.ReadMessage()
		if err != nil {
			return err
		}
		each(b)
	}
}

// typed is what all messages have.
type typed struct {
	Type      string  `json:"type"`
	Seq       float64 `json:"seq"`
	Candidate struct {
		Candidate string `json:"candidate"`
	} `json:"candidate"`
}

var errRefused = errors.New("refused")

// join enters as name and returns the welcome.
func (s *server) join(ip, name string, features ...string) (*wire, object, error) {
	w, err := s.dial(ip)
	if err != nil {
		return nil, nil, err
	}
	if err = w.send(object{"type": "join", "username": name, "features": features}); err == nil {
		var welcome object
		if welcome, err = w.await("welcome"); err == nil {
			return w, welcome, nil
		}
	}
	w.ws.Close()
	return nil, nil, err
}

// credential is what a welcome gives for TURN.
func credential(welcome object) (user, pass string, err error) {
	servers, _ := welcome["iceServers"].([]any)
	for _, each := range servers {
		m, _ := each.(object)
		if user, ok := m["username"].(string); ok {
			pass, _ := m["credential"].(string)
			return user, pass, nil
		}
	}
	return "", "", fmt.Errorf("no TURN credential in %v", welcome)
}

// couple is two users in a call.
type couple struct {
	a, b       *wire
	userA      string // of TURN
	passA      string
	userB      string
	passB      string
	nameA, idB string
}

// call has two users join from their addresses and call each other.
func (s *server) call(ipA, ipB, name string, features ...string) (*couple, error) {
	features = append([]string{"presence-none", "call-state"}, features...)
	c := &couple{nameA: name + "-a"}
	a, welcomeA, err := s.join(ipA, c.nameA, features...)
	if err != nil {
		return nil, err
	}
	c.a = a
	b, welcomeB, err := s.join(ipB, name+"-b", features...)
	if err != nil {
		a.ws.Close()
		return nil, err
	}
	c.b = b
	c.idB, _ = welcomeB["id"].(string)
	if c.userA, c.passA, err = credential(welcomeA); err == nil {
		c.userB, c.passB, err = credential(welcomeB)
	}
	if err == nil {
		err = c.connect(name + "-b")
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *couple) connect(target string) error {
	if err := c.a.send(object{"type": "call", "target": target}); err != nil {
		return err
	}
	if _, err := c.b.await("incomingCall"); err != nil {
		return err
	}
	if err := c.b.send(object{"type": "callResponse", "accepted": true}); err != nil {
		return err
	}
	_, err := c.a.await("callAnswered")
	return err
}

// relay asks for the relay and waits until both are told to use it.
func (c *couple) relay() error {
	if err := c.a.send(object{"type": "relayRequest", "reason": "user"}); err != nil {
		return err
	}
	for _, w := range []*wire{c.a, c.b} {
		if _, err := w.await("relayStart"); err != nil {
			return err
		}
	}
	return nil
}

func (c *couple) close() {
	for _, w := range []*wire{c.a, c.b} {
		_ = w.send(object{"type": "leave"}) // the connection ends anyway
		w.ws.Close()
	}
}
