package signaling

// This file is what the hub knows of one connection, and what the connection's reader tells it.

import (
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"duet/signaling/presence"
	"duet/signaling/protocol"
)

const maxMessage = 128 << 10

// conn is one connection, and the [protocol.Receiver] of its wire.
type conn struct {
	hub  *Hub
	wire protocol.Conn
	ip   netip.Addr
	host string // by which the client reached us

	budget *rate.Limiter // of its address

	asksItself bool // the wire finds out whether the client is there: no pings

	// The reader's own.
	limit   *rate.Limiter // of the session, once there is one
	refused int           // rate refusals in a row
	proved  bool          // the pong to the welcome's ping has come
	pending []*conn       // have something to be written, once no more messages wait to be read

	// Guarded by Hub.mu.
	session *session
	joinBy  *time.Timer
	marked  bool // is in step.pending

	// Of Socket.IO, guarded by Hub.mu.
	early     earlyID
	recovered bool // its session was there before, and no join has come since

	// Guarded by Hub.conns.mu.
	pingAt time.Time

	watch presence.Watcher

	flooded atomic.Bool  // it was closed for too many messages
	renewAt atomic.Int64 // when the session token is due, in ns since Hub.began; 0: never
}

// earlyID is what a client gets to know of its session before that begins.
type earlyID struct{ id, pid string }

func (c *conn) push(f protocol.Frame) (room bool) { return c.wire.Push(f) }
func (c *conn) flush()                            { c.wire.Flush() }
func (c *conn) close(code uint16, words string)   { c.wire.Close(code, words) }
func (c *conn) isClosing() bool                   { return c.wire.Closing() }

// Message implements [protocol.Receiver].
func (c *conn) Message(text []byte) { c.hub.receive(c, text) }

// Ping implements [protocol.Receiver].
func (c *conn) Ping() (answer bool) { return c.mayControl() }

// Pong implements [protocol.Receiver].
func (c *conn) Pong(data []byte) {
	if string(data) == proof && !c.proved {
		c.proved = true
		c.hub.prove(c)
	} else {
		c.mayControl()
	}
}

// Idle writes to everybody whom this client's messages reached: once for all the messages that came together.
func (c *conn) Idle() {
	for i, to := range c.pending {
		to.flush()
		c.pending[i] = nil
	}
	c.pending = c.pending[:0]
	if cap(c.pending) > 16 {
		c.pending = nil
	}
}

// Lost implements [protocol.Receiver].
func (c *conn) Lost(code int) { c.hub.lost(c, code) }

// Gone implements [protocol.Receiver].
func (c *conn) Gone() { c.hub.gone(c) }

// Rang implements [protocol.Receiver].
func (c *conn) Rang(calls []string) { c.hub.rang(calls) }
