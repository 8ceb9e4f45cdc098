package wsconn

// This file is the reader of a connection.

import (
	"bytes"
	"time"
	"unicode/utf8"

	"duet/signaling/protocol"
)

// incoming is what the reader remembers between two reads.
type incoming struct {
	partial  []byte // the beginning of a frame
	message  []byte // the frames of a message that is not complete
	op       byte   // of such a message; 0: there is none
	answered bool   // a pong waits to be written
	end      uint16 // why no more is read: the code of the client's close frame, or of ours that refuses one
}

// Read is the reader. It ends with the connection, after [protocol.Receiver.Gone].
func (c *Conn) Read() {
	c.sock.feed(c.received, c.idle) // how a stream breaks is of no interest
	c.idle()
	if c.in.end == 0 {
		c.to.Lost(protocol.CloseAbnormal)
	} else {
		c.to.Lost(int(c.in.end))
		c.linger()
	}
	c.in = incoming{}
	c.mu.Lock()
	c.dead = true
	giveBack(c.queue)
	c.queue = nil
	c.mu.Unlock()
	c.sock.Close()
	c.writers.Wait()
	c.to.Gone()
}

// idle comes before a wait for more.
func (c *Conn) idle() {
	c.to.Idle()
	if c.in.answered {
		c.in.answered = false
		c.Flush()
	}
}

// linger closes, with the client's own code if it was first, and gives the last frames time to arrive: closing a socket
// that holds unread bytes resets it, and the client never sees why.
func (c *Conn) linger() {
	c.sock.SetReadDeadline(time.Now().Add(lingerTime))
	c.mu.Lock()
	c.through = true
	c.closeLocked(c.in.end, "")
	closed := c.closed
	c.mu.Unlock()
	if closed {
		c.sock.closeWrite()
	}
	left := 1 << 20
	c.sock.feed(func(b []byte) bool { left -= len(b); return left > 0 }, func() {})
}

// received takes bytes as they come. It is false when no more can be of use.
func (c *Conn) received(b []byte) bool {
	in := &c.in
	if len(in.partial) > 0 {
		in.partial = append(in.partial, b...)
		b = in.partial
	}
	now := time.Now()
	for len(b) > 0 {
		f, n, code := parse(b, c.cfg.MaxMessage-len(in.message), in.op != 0)
		if code == 0 && n > 0 {
			code = c.frame(now, f)
		}
		if code != 0 {
			in.end = code
			return false
		}
		if n == 0 {
			break
		}
		b = b[n:]
	}
	if in.partial = append(in.partial[:0], b...); len(b) == 0 {
		in.partial = nil
	}
	return true
}

// pong answers a ping.
func (c *Conn) pong(data []byte) {
	c.push(frame{Frame: protocol.Frame{Data: bytes.Clone(data), Size: len(data)}, op: opPong})
	c.in.answered = true
}

// frame handles one frame. A code ends the reader.
func (c *Conn) frame(now time.Time, f inbound) (end uint16) {
	in := &c.in
	c.lastFrame.Store(int64(now.Sub(c.began)))
	closed := c.Closing()
	if !closed && in.op == 0 { // whatever comes between its frames, a message ends in time
		c.sock.aliveUntil(now, c.cfg.IdleTimeout)
	}
	switch f.op {
	case opClose:
		if code, good := closing(f.data); good {
			return code
		}
		return closeProtocolError
	case opPing:
		if !closed && c.to.Ping() {
			c.pong(f.data)
		}
		return 0
	case opPong:
		if !closed {
			c.to.Pong(f.data)
		}
		return 0
	}
	op, text := f.op, f.data
	if in.op != 0 || !f.final {
		op = max(op, in.op)
		in.message = append(in.message, f.data...)
		text = in.message
	}
	if !f.final {
		in.op = op
		return 0
	}
	in.op, in.message = 0, nil
	switch {
	case closed:
	case op == opBinary:
		to, takes := c.to.(protocol.BinaryReceiver)
		if !takes {
			return protocol.CloseUnsupported
		}
		to.Binary(text)
	case !utf8.Valid(text):
		return protocol.CloseInvalidData
	default:
		c.to.Message(text)
	}
	return 0
}
