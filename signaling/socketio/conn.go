package socketio

// This file is one session: what waits to be sent, the heartbeat, and the end.

import (
	"strconv"
	"time"

	"duet/internal/lock"
)

type state uint8

const (
	open    state = iota
	closing       // no more packets; what waits may still be fetched
	closed
)

const (
	lingerTime = 2 * time.Second // for the poll that fetches what a session ends with
	provePart  = 8               // a client is pinged when this part of what the queue may hold is not known to have come
	maxPings   = 8               // without a pong
)

// Conn is one session. Its methods may be called by anybody at any time.
type Conn struct {
	server *Server
	app    App
	v3     bool
	sid    string // a secret, while the session polls: never logged, never told to others

	in      lock.Mutex[lock.Intake] // one message after the other; guards the next
	spaces  []string                // the client is in
	pending message                 // waits for its attachments
	tidy    bool                    // pending is clean
	waiting int                     // how many

	mu      lock.Mutex[lock.Leg] // guards the rest; see the package comment
	state   state
	last    byte   // what a poll ends with once the state is not open
	stream  Stream // nil: polling
	probe   *inlet // an upgrade that is not complete
	queue   []Packet
	bytes   int
	wake    chan struct{} // capacity 1: a poll should look again
	polling bool          // a poll waits or is being answered
	posting bool
	hurried bool // the next poll that finds nothing is answered at once

	timer    *time.Timer
	joinBy   time.Time // zero: in a namespace
	heard    time.Time // something came
	pingAt   time.Time // the last ping, or the beginning
	pings    []uint64  // those without a pong: what sent was
	sent     uint64    // the last Seq pushed
	polled   uint64    // the last Seq in the answer to the last poll
	unproved int       // bytes of numbered packets since a ping or poll
	unasked  int       // and their number
}

// begin sends what opens the session; nobody else knows it yet.
func (c *Conn) begin(to Stream) {
	cfg := &c.server.cfg
	now := time.Now()
	c.in.Lock()
	defer c.in.Unlock()
	c.mu.Lock()
	c.stream, c.heard, c.pingAt = to, now, now
	upgrades := `[]`
	if to == nil {
		c.wake = make(chan struct{}, 1)
		upgrades = `["websocket"]`
	}
	c.joinBy = now.Add(cfg.ConnectTimeout)
	c.timer = time.AfterFunc(c.next(now), c.tick)
	if c.state != open { // already
		c.timer.Reset(lingerTime)
		if to != nil {
			to.Close(1001, "")
		}
	}
	c.pushLocked(engine(engineOpen, `{"sid":"`+c.sid+`","upgrades":`+upgrades+`,"pingInterval":`+ms(cfg.PingInterval)+
		`,"pingTimeout":`+ms(cfg.PingTimeout)+`,"maxPayload":`+strconv.Itoa(cfg.MaxPayload)+`}`))
	c.mu.Unlock()
	if c.v3 {
		c.app.Connect("/", nil) // clients of version 3 do not ask for the first namespace
	}
	if to != nil {
		to.Flush()
	}
}

func ms(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// Push queues a packet for the next Flush, and reports whether there was room; a session without room is ended. What is
// pushed to a session that ends is lost with it, which is no news: the answer is true.
func (c *Conn) Push(p Packet) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != open {
		return true
	}
	if !c.pushLocked(p) {
		return false
	}
	if p.Seq > 0 && !c.v3 {
		// What is sent counts against the outbox until a pong or a poll shows that it came, so a busy client is asked early.
		cfg := &c.server.cfg
		c.unproved += p.Cost
		c.unasked++
		if len(c.pings) == 0 && (c.unproved > cfg.QueueBytes/provePart || c.unasked > cfg.QueuePackets/provePart) {
			c.pingLocked(time.Now())
		}
	}
	return true
}

func (c *Conn) pushLocked(p Packet) bool {
	c.sent = max(c.sent, p.Seq)
	if c.stream != nil {
		if !c.stream.Push(p) {
			c.state = closing
			return false
		}
		return true
	}
	if p.Latest {
		for i := range c.queue {
			if c.queue[i].Latest {
				c.queue[i] = p
				return true
			}
		}
	}
	cfg := &c.server.cfg
	if len(c.queue) >= cfg.QueuePackets || c.bytes+p.Cost > cfg.QueueBytes {
		c.closeLocked(engineClose, true)
		return false
	}
	c.bytes += p.Cost
	c.queue = append(c.queue, p)
	return true
}

// Flush sends what waits, or lets a poll send it. No lock may be held.
func (c *Conn) Flush() {
	c.mu.Lock()
	stream := c.stream
	if stream == nil && len(c.queue) > 0 {
		c.wakeLocked()
	}
	c.mu.Unlock()
	if stream != nil {
		stream.Flush()
	}
}

func (c *Conn) wakeLocked() {
	select { // a WebSocket's, which has no channel, has nobody to wake
	case c.wake <- struct{}{}:
	default:
	}
}

// Ping asks the client for a pong; it goes out with the next Flush.
func (c *Conn) Ping() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == open && !c.v3 {
		c.pingLocked(time.Now())
	}
}

func (c *Conn) pingLocked(now time.Time) {
	if len(c.pings) == maxPings {
		return // of a client that sends, but never answers
	}
	c.pingAt, c.unproved, c.unasked = now, 0, 0
	c.pings = append(c.pings, c.sent)
	c.pushLocked(engine(enginePing, ""))
}

// silentLocked reports that nothing has come since the last ping.
func (c *Conn) silentLocked() bool { return len(c.pings) > 0 && !c.heard.After(c.pingAt) }

// next is when the timer is due.
func (c *Conn) next(now time.Time) time.Duration {
	cfg := &c.server.cfg
	due := c.pingAt.Add(cfg.PingInterval)
	if c.v3 {
		due = c.heard.Add(cfg.PingInterval + cfg.PingTimeout)
	} else if end := c.pingAt.Add(cfg.PingTimeout); c.silentLocked() && (end.Before(due) || !due.After(now)) {
		due = end
	}
	if !c.joinBy.IsZero() && c.joinBy.Before(due) {
		due = c.joinBy
	}
	return due.Sub(now)
}

// tick is the timer: it looks whether the client is still there and asks for a sign of it.
func (c *Conn) tick() {
	cfg := &c.server.cfg
	now := time.Now()
	c.mu.Lock()
	if c.state == closed {
		c.mu.Unlock()
		return
	}
	if c.state == closing {
		polls := c.stream == nil
		c.mu.Unlock()
		if polls {
			c.finish() // nobody came for what it ends with
		}
		return
	}
	late := !c.joinBy.IsZero() && !now.Before(c.joinBy)
	switch {
	case c.v3:
		late = late || now.Sub(c.heard) >= cfg.PingInterval+cfg.PingTimeout
	case c.silentLocked():
		late = late || now.Sub(c.pingAt) >= cfg.PingTimeout
	case now.Sub(c.pingAt) >= cfg.PingInterval:
		c.pingLocked(now)
		c.pingAt = now // also when it was left out
	}
	if late {
		c.mu.Unlock()
		c.fail(engineClose)
		return
	}
	c.timer.Reset(max(c.next(now), time.Millisecond))
	c.mu.Unlock()
	c.Flush()
}

// Close ends the session after what waits or, with drop, instead of it. words and code are for a WebSocket.
func (c *Conn) Close(code uint16, words string, drop bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != open {
		return
	}
	if c.stream != nil {
		c.state = closing
		c.stream.Close(code, words)
		return
	}
	c.closeLocked(engineClose, drop)
}

// closeLocked lets the poll that waits, or else the next, end a polling session; a WebSocket is closed with it.
func (c *Conn) closeLocked(last byte, drop bool) {
	if c.state != open {
		return
	}
	c.state, c.last = closing, last
	if c.stream != nil {
		c.stream.Close(1000, "")
		return
	}
	if drop {
		c.queue, c.bytes = nil, 0
	}
	c.wakeLocked()
	if !c.polling && c.timer != nil {
		c.timer.Reset(lingerTime)
	}
}

// Abort ends the session without a word.
func (c *Conn) Abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stream != nil {
		c.stream.Abort()
		return
	}
	c.closeLocked(engineClose, true)
	if c.timer != nil {
		c.timer.Reset(0)
	}
}

// Closing reports whether the session is being ended, or has ended.
func (c *Conn) Closing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state != open
}

// Version3 reports whether the client speaks Engine.IO 3.
func (c *Conn) Version3() bool { return c.v3 }

// HeardAt is when anything came from the client.
func (c *Conn) HeardAt() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard
}

// fail ends the session of a client that broke the rules or is gone, and lets a waiting poll end with last. Neither lock
// is held.
func (c *Conn) fail(last byte) {
	c.mu.Lock()
	c.closeLocked(last, true)
	polls := c.stream == nil
	c.mu.Unlock()
	if polls {
		c.finish() // a WebSocket's reader does it
	}
}

// finish is the end of a polling session. Neither lock is held.
func (c *Conn) finish() {
	if c.over() {
		c.app.Gone()
	}
}

// over makes the session unknown, and reports whether it was the first to. Neither lock is held.
func (c *Conn) over() bool {
	c.mu.Lock()
	if c.state == closed {
		c.mu.Unlock()
		return false
	}
	if c.state == open {
		c.last = engineNoop
	}
	c.state = closed
	c.timer.Stop()
	probe := c.probe
	c.probe, c.queue, c.bytes = nil, nil, 0
	c.wakeLocked()
	c.mu.Unlock()
	c.server.remove(c)
	if probe != nil {
		probe.to.Close(1000, "")
	}
	c.in.Lock() // an event that is being handled comes first
	defer c.in.Unlock()
	c.pending, c.waiting = message{}, 0
	c.app.Lost()
	return true
}

// take handles one Engine.IO packet; false ends the session. c.in is held.
func (c *Conn) take(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	c.mu.Lock()
	if c.state != open {
		c.mu.Unlock()
		return true
	}
	c.heard = time.Now()
	acked, pong := uint64(0), false
	if b[0] == enginePong && len(c.pings) > 0 {
		acked, pong = c.pings[0], true
		c.pings = append(c.pings[:0], c.pings[1:]...)
	}
	c.mu.Unlock()
	switch b[0] {
	case engineMessage:
		return c.server.message(c, b[1:])
	case enginePing:
		if !c.v3 {
			return false // the server asks
		}
		if c.app.Allow() {
			c.Push(engine(enginePong, string(b[1:])))
			c.Flush()
		}
		return true
	case enginePong:
		if !pong {
			c.app.Allow()
			return !c.v3
		}
		if acked > 0 {
			c.app.Acknowledged(acked)
		}
		c.app.Pong()
		return true
	case engineOpen, engineUpgrade, engineNoop:
		c.app.Allow()
		return true
	}
	return false // a client's close, or garbage
}
