package signaling

// This file is one WebSocket: a reader, which lives as long as the connection,
// and a writer, which lives only while something waits to be written (twenty
// thousand idle writers would be a hundred megabytes of stacks).

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

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
	// What ws has taken from sock and not read yet.
	buffered *bufio.Reader
	ip       netip.Addr
	host     string // by which the client reached us

	budget *rate.Limiter // of its address
	heard  atomic.Int64  // when a frame came, in ns since 1970

	// The reader's own.
	limit   *rate.Limiter // of the session, once there is one
	refused int           // rate refusals in a row
	proved  bool          // the pong to the welcome's ping has come
	owed    []*conn       // have something to be written, once no more frames wait to be read

	// Guarded by Hub.mu.
	session *session
	joinBy  *time.Timer
	touched bool // is in Hub.touched

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
// has no room is closed with 4003. It is written by the next flush.
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
	if c.queue == nil {
		c.queue = *queues.Get().(*[]frame)
	}
	c.queue = append(c.queue, f)
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
	if !c.writing {
		c.writing = true
		c.hub.registry.running.Add(1) // the reader still holds one: the count is not zero
		go c.write(nil)
	}
}

// isClosing reports whether the server has closed this connection.
func (c *conn) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// flush writes what waits. It never blocks: what the socket does not take at
// once is left to a writer of its own. No lock may be held.
func (c *conn) flush() {
	c.mu.Lock()
	if c.writing || c.dead || len(c.queue) == 0 {
		c.mu.Unlock()
		return
	}
	c.writing = true
	c.hub.registry.running.Add(1) // the reader still holds one: the count is not zero
	c.mu.Unlock()
	if c.sock.raw == nil {
		go c.write(nil)
		return
	}
	if rest, finished := c.writeBatches(false, nil); !finished {
		go c.write(rest)
	}
}

// queues holds room for what waits to be written; an idle connection has none.
var queues = sync.Pool{New: func() any { q := make([]frame, 0, 16); return &q }}

// write is the writer: it ends when nothing waits. rings are calls whose
// incomingCall has been gathered but not sent.
func (c *conn) write(rings []string) {
	c.writeBatches(true, rings)
}

// anyLarge reports frames that are not copied, so that writing them may block.
func anyLarge(batch []frame) bool {
	for i := range batch {
		if len(batch[i].data) >= directWrite {
			return true
		}
	}
	return false
}

// writeBatches writes until nothing waits or, unless it may wait, the socket
// takes no more. When it is finished the connection has no writer any more.
func (c *conn) writeBatches(wait bool, rings []string) (rest []string, finished bool) {
	for first := true; ; first = false {
		c.mu.Lock()
		batch := c.queue
		c.queue, c.bytes = nil, 0
		if len(batch) == 0 && !(first && wait) {
			c.writing = false
			c.mu.Unlock()
			c.hub.registry.running.Done()
			return nil, true
		}
		if !wait && anyLarge(batch) {
			c.queue = batch // none was added since: the lock is still held
			c.mu.Unlock()
			return rings, false
		}
		c.mu.Unlock()

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
		if n := cap(batch); n > 0 && n <= 64 {
			clear(batch)
			batch = batch[:0]
			queues.Put(&batch)
		}
		done, flushErr := c.sock.uncork(wait)
		if err == nil {
			err = flushErr
		}
		switch {
		case err != nil:
			c.sock.Close() // the reader hears of it and cleans up
			rings = nil
		case !done:
			return rings, false
		case closed:
			c.sock.Conn.SetReadDeadline(time.Now().Add(lingerTime))
		}
		if rings != nil {
			c.hub.rang(rings)
			rings = nil
		}
	}
}

func (c *conn) writeFrame(f frame) error {
	if f.kind == textFrame || f.kind == listFrame {
		if len(f.data) < directWrite {
			c.sock.gather(f.data)
			return nil
		}
		return c.ws.WriteMessage(websocket.TextMessage, f.data)
	}
	deadline := time.Now().Add(c.hub.cfg.WriteTimeout) // for gorilla's lock alone
	switch f.kind {
	case pingFrame:
		return c.ws.WriteControl(websocket.PingMessage, f.data, deadline)
	case pongFrame:
		return c.ws.WriteControl(websocket.PongMessage, f.data, deadline)
	}
	return c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(int(f.code), string(f.data)), deadline)
}

// inbound holds the readers' buffers; a connection has one only while a frame
// is being read and handled.
var inbound = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// read is the reader: it ends with the connection. It handles frames until one
// must close the connection (a code) or the stream ends (an error), and waits
// for them here, near the bottom of its stack.
func (c *conn) read() {
	c.prepare()
	var code uint16
	var err error
	for code == 0 && err == nil {
		if c.buffered.Buffered() == 0 {
			err = c.sock.await()
		}
		if err == nil {
			code, err = c.readFrame()
		}
	}
	c.over(code, err)
}

// over is the end of the reader.
func (c *conn) over(code uint16, err error) {
	c.settle()
	if code != 0 {
		c.close(code, "")
	}
	var closed *websocket.CloseError
	switch {
	case code != 0:
		c.hub.lost(c, int(code))
		c.sock.Conn.SetReadDeadline(time.Now().Add(lingerTime))
		for err == nil { // until the client answers the closing handshake
			_, _, err = c.ws.NextReader()
		}
	case errors.As(err, &closed):
		c.hub.lost(c, closed.Code)
	default:
		// What gorilla refused itself (1002, 1009) was answered by it.
		c.hub.lost(c, websocket.CloseAbnormalClosure)
	}
	c.linger(err)
	c.mu.Lock()
	c.dead, c.queue, c.bytes = true, nil, 0
	c.mu.Unlock()
	c.sock.Close()
	c.hub.gone(c)
}

// settle writes to everybody whom this client's messages reached: once for all
// the frames that came together.
func (c *conn) settle() {
	for i, to := range c.owed {
		to.flush()
		c.owed[i] = nil
	}
	c.owed = c.owed[:0]
	if cap(c.owed) > 16 {
		c.owed = nil
	}
}

// linger gives the last frames time to arrive: closing a socket that holds
// unread bytes resets it, and the client never sees why it was closed.
func (c *conn) linger(err error) {
	var timeout net.Error
	if err != nil && (errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &timeout)) {
		return
	}
	c.sock.Conn.SetReadDeadline(time.Now().Add(lingerTime))
	if half := halfCloser(c.sock.Conn); half != nil && err != nil {
		half.CloseWrite()
	}
	io.Copy(io.Discard, io.LimitReader(c.sock.Conn, 1<<20))
}

// halfCloser finds what can end its sending side alone.
func halfCloser(c net.Conn) interface{ CloseWrite() error } {
	if tcp := plainTCP(c); tcp != nil {
		return tcp
	}
	half, _ := c.(interface{ CloseWrite() error })
	return half
}

// prepare is the beginning of the reader.
func (c *conn) prepare() {
	c.sock.idle = c.settle
	c.sock.owes = func() bool { return len(c.owed) > 0 }
	c.ws.SetReadLimit(maxFrame)
	c.ws.SetPingHandler(func(data string) error {
		c.alive()
		if c.mayControl() {
			c.push(frame{kind: pongFrame, data: []byte(data), size: len(data)})
			c.owed = append(c.owed, c)
		}
		return nil
	})
	c.ws.SetPongHandler(func(data string) error {
		c.alive()
		if data == proof && !c.proved {
			c.proved = true
			c.hub.prove(c)
		} else {
			c.mayControl()
		}
		return nil
	})
	c.alive()
}

// alive notes that a frame came.
func (c *conn) alive() {
	if !c.isClosing() {
		now := time.Now()
		c.heard.Store(now.UnixNano())
		c.sock.aliveUntil(now, c.hub.cfg.IdleTimeout)
	}
}

// readFrame handles the next message. A code closes the connection with it; an
// error means that the stream has ended.
func (c *conn) readFrame() (code uint16, err error) {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return 0, err
	}
	buf := inbound.Get().(*[]byte)
	data, err := readAll(r, (*buf)[:0])
	if err == nil && !c.isClosing() {
		switch {
		case kind != websocket.TextMessage:
			code = websocket.CloseUnsupportedData
		case !utf8.Valid(data):
			code = websocket.CloseInvalidFramePayloadData
		default:
			c.alive()
			c.hub.handle(c, data)
		}
	}
	if cap(data) <= 16<<10 {
		*buf = data
	}
	inbound.Put(buf)
	return code, err
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
