package wsconn

// This file makes a WebSocket of an HTTP request.

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"duet/signaling/protocol"
)

// Config is what all connections have in common.
type Config struct {
	MaxMessage int // bytes of a client's message

	// QueueFrames and QueueBytes bound what waits for a client.
	QueueFrames, QueueBytes int

	HandshakeTimeout time.Duration
	WriteTimeout     time.Duration // of a write that the client holds up
	IdleTimeout      time.Duration // without any frame, or without the end of a message that has begun

	// CheckOrigin says which pages may connect.
	CheckOrigin func(*http.Request) bool
	// Encode says how this kind of client reads a frame's text: around[:cut], then inner, which is part of Data and so stays
	// shared by all who get it, and then around[cut:]. around is short, and appended to b. nil: as it is.
	Encode func(b []byte, f *protocol.Frame) (around []byte, cut int, inner []byte)
}

// Upgrader makes connections.
type Upgrader struct {
	cfg      Config
	upgrader websocket.Upgrader
}

// New returns an upgrader.
func New(cfg Config) *Upgrader {
	return &Upgrader{cfg, websocket.Upgrader{
		HandshakeTimeout: cfg.HandshakeTimeout,
		ReadBufferSize:   0, // the one that the hijacker gives
		WriteBufferSize:  4 << 10,
		WriteBufferPool:  &sync.Pool{},
		CheckOrigin:      cfg.CheckOrigin,
	}}
}

// IsUpgrade reports whether a request asks for a WebSocket.
func IsUpgrade(r *http.Request) bool { return websocket.IsWebSocketUpgrade(r) }

// Upgrade answers the request. Whoever gets a connection calls its Read; an error has been answered.
func (u *Upgrader) Upgrade(w http.ResponseWriter, r *http.Request, to protocol.Receiver) (*Conn, error) {
	ws, err := u.upgrader.Upgrade(hijacker{w}, r, nil)
	if err != nil {
		return nil, err
	}
	// gorilla refuses clients that have sent more than the handshake, so that its reader holds nothing.
	c := &Conn{cfg: &u.cfg, to: to, sock: newSock(ws.NetConn())}
	now := time.Now()
	c.began = now
	c.sock.aliveUntil(now, u.cfg.IdleTimeout)
	return c, nil
}

// hijacker finds the Hijacker under what middleware has put around a ResponseWriter.
type hijacker struct{ http.ResponseWriter }

// Hijack implements [http.Hijacker].
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(h.ResponseWriter).Hijack()
}
