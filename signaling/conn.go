package signaling

// This file is one WebSocket: a reader, which lives as long as the connection,
// and a writer, which lives only while something waits to be written (twenty
// thousand idle writers would be a hundred megabytes of stacks).

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"
)

// Close codes of our own.
const (
	closeTakenOver = 4001
	closeNotJoined = 4002
	closeTooSlow   = 4003
	closeEnded     = 4004
)

const (
	maxFrame   = 128 << 10
	lingerTime = 2 * time.Second // for the client's side of a closing handshake
)

type frameKind uint8

const (
	textFrame frameKind = iota
	pingFrame
	pongFrame
	closeFrame
	listFrame // a userList: a newer one replaces it
)

// frame is something that waits to be written.
type frame struct {
	kind  frameKind
	code  uint16 // of closeFrame
	data  []byte // not changed any more; many connections may send it
	size  int
	rings string // the call whose incomingCall this is
}

// conn is one WebSocket.
type conn struct {
	hub  *Hub
	ws   *websocket.Conn
	sock *sock
	ip   netip.Addr
	host string // by which the client reached us

	budget *rate.Limiter // of its address

	// The reader's own.
	limit   *rate.Limiter // of the session, once there is one
	refused int           // rate refusals in a row

	// Guarded by Hub.mu.
	session *session
	joinBy  *time.Timer

	// Guarded by registry.mu.
	pingAt time.Time

	// Guarded by roster.mu.
	watch watcher

	renewAt atomic.Int64 // Unix ns, when the session token is due; 0: never

	mu      sync.Mutex // a leaf; guards the rest
	queue   []frame
	bytes   int  // of text in queue
	writing bool // the writer runs
	closing bool // a close frame is in the queue, nothing may follow
	dead    bool // the reader has ended: nothing is written any more
}

// push queues a frame and reports whether there was room. A connection that
// has no room is closed with 4003.
func (c *conn) push(f frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.dead {
		return true // lost with the connection, which is no news here
	}
	if f.kind == listFrame {
		for i := range c.queue {
			if c.queue[i].kind == listFrame {
				c.queue[i] = f
				return true
			}
		}
	} else {
		cfg := &c.hub.cfg
		if len(c.queue) >= 2*cfg.OutboxMessages || c.bytes > 2*cfg.OutboxBytes {
			c.closeLocked(closeTooSlow, "too slow a reader")
			return false
		}
		c.bytes += f.size
	}
	c.queue = append(c.queue, f)
	c.wakeLocked()
	return true
}

// close ends the connection after what is queued, or, for a client that has
// moved or does not read, instead of it.
func (c *conn) close(code uint16, words string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(code, words)
}

func (c *conn) closeLocked(code uint16, words string) {
	if c.closing || c.dead {
		return
	}
	c.closing = true
	if code == closeTooSlow || code == closeTakenOver {
		c.queue, c.bytes = nil, 0
	}
	c.queue = append(c.queue, frame{kind: closeFrame, code: code, data: []byte(words)})
	c.wakeLocked()
}

// isClosing reports whether the server has closed this connection.
func (c *conn) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

func (c *conn) wakeLocked() {
	if c.writing {
		return
	}
	c.writing = true
	c.hub.registry.running.Add(1) // the reader still holds one: the count is not zero
	go c.write()
}

// write is the writer: it ends when nothing waits.
func (c *conn) write() {
	defer c.hub.registry.running.Done()
	var rings []string
	for {
		c.mu.Lock()
		batch := c.queue
		c.queue, c.bytes = nil, 0
		if len(batch) == 0 {
			c.writing = false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()

		c.sock.SetWriteDeadline(time.Now().Add(c.hub.cfg.WriteTimeout))
		c.sock.cork()
		var err error
		closed := false
		for _, f := range batch {
			if err = c.writeFrame(f); err != nil {
				break
			}
			closed = closed || f.kind == closeFrame
			if f.rings != "" {
				rings = append(rings, f.rings)
			}
		}
		if flushErr := c.sock.uncork(); err == nil {
			err = flushErr
		}
		switch {
		case err != nil:
			c.sock.Close() // the reader hears of it and cleans up
			rings = nil
		case closed:
			c.sock.SetReadDeadline(time.Now().Add(lingerTime))
		}
		if rings != nil {
			c.hub.rang(rings)
			rings = nil
		}
	}
}

func (c *conn) writeFrame(f frame) error {
	deadline := time.Now().Add(c.hub.cfg.WriteTimeout)
	switch f.kind {
	case pingFrame:
		return c.ws.WriteControl(websocket.PingMessage, f.data, deadline)
	case pongFrame:
		return c.ws.WriteControl(websocket.PongMessage, f.data, deadline)
	case closeFrame:
		return c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(int(f.code), string(f.data)), deadline)
	}
	c.ws.SetWriteDeadline(deadline)
	return c.ws.WriteMessage(websocket.TextMessage, f.data)
}

// inbound holds the readers' buffers; a connection has one only while a frame
// is being read and handled.
var inbound = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// read is the reader: it ends with the connection.
func (c *conn) read() {
	code, err := c.readFrames()
	if code != 0 {
		c.close(code, "")
	}
	if err != nil {
		// What gorilla refused itself (1002, 1009) was answered by it.
		var closed *websocket.CloseError
		if errors.As(err, &closed) {
			c.hub.lost(c, closed.Code)
		} else {
			c.hub.lost(c, websocket.CloseAbnormalClosure)
		}
	} else {
		c.hub.lost(c, int(code))
	}
	c.linger(err)
	c.mu.Lock()
	c.dead, c.queue, c.bytes = true, nil, 0
	c.mu.Unlock()
	c.sock.Close()
	c.hub.gone(c)
}

// linger gives the last frames time to arrive: closing a socket that holds
// unread bytes resets it, and the client never sees why it was closed.
func (c *conn) linger(err error) {
	var timeout net.Error
	if err != nil && (errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &timeout)) {
		return
	}
	c.sock.SetReadDeadline(time.Now().Add(lingerTime))
	if half, can := c.sock.Conn.(interface{ CloseWrite() error }); can && err != nil {
		half.CloseWrite()
	}
	io.Copy(io.Discard, io.LimitReader(c.sock.Conn, 1<<20))
}

// readFrames handles frames until one must close the connection (a code) or
// the stream ends (an error).
func (c *conn) readFrames() (code uint16, err error) {
	c.ws.SetReadLimit(maxFrame)
	alive := func() { c.sock.SetReadDeadline(time.Now().Add(c.hub.cfg.IdleTimeout)) }
	c.ws.SetPingHandler(func(data string) error {
		if !c.isClosing() {
			alive()
		}
		c.push(frame{kind: pongFrame, data: []byte(data), size: len(data)})
		return nil
	})
	c.ws.SetPongHandler(func(data string) error {
		if !c.isClosing() {
			alive()
		}
		if data == proof {
			c.hub.prove(c)
		}
		return nil
	})
	alive()
	for {
		kind, r, err := c.ws.NextReader()
		if err != nil {
			return 0, err
		}
		buf := inbound.Get().(*[]byte)
		frame, err := readAll(r, (*buf)[:0])
		if err == nil && !c.isClosing() {
			switch {
			case kind != websocket.TextMessage:
				code = websocket.CloseUnsupportedData
			case !validText(frame):
				code = websocket.CloseInvalidFramePayloadData
			default:
				alive()
				c.hub.handle(c, frame)
			}
		}
		if cap(frame) <= 16<<10 {
			*buf = frame
		}
		inbound.Put(buf)
		if code != 0 || err != nil {
			return code, err
		}
	}
}

// readAll reads a message into a buffer that grows as needed; the read limit
// bounds it.
func readAll(r io.Reader, b []byte) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return b, err
		}
	}
}
