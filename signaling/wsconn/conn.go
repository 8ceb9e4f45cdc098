package wsconn

// This file is what others do with a connection: frames are queued, and leave when somebody flushes.

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"duet/internal/lock"
	"duet/signaling/protocol"
)

const lingerTime = 2 * time.Second // for the client's side of a closing handshake

// Conn is one WebSocket, and a [protocol.Conn].
type Conn struct {
	cfg  *Config
	to   protocol.Receiver
	sock *sock

	began     time.Time
	lastFrame atomic.Int64 // when one came, in ns since then: a clock that is set back changes nothing

	in incoming // the reader's

	// Whose turn it is to write.
	out     outgoing
	writers sync.WaitGroup

	mu      lock.Mutex[lock.Socket] // guards the rest
	queue   []frame
	frames  int  // in queue and on their way, and
	bytes   int  // their sizes
	writing bool // somebody writes
	closing bool // a close frame is queued, or was: nothing may follow
	asked   bool // by Close
	closed  bool // it has been written
	through bool // the reader reads no more messages: when closed, our side ends
	dead    bool // nothing is written any more
}

// frame is one that waits. Of the kinds below data is short.
type frame struct {
	protocol.Frame
	op byte // of what is no text; 0 for text
}

// Push implements [protocol.Conn].
func (c *Conn) Push(f protocol.Frame) (room bool) {
	q := frame{Frame: f}
	if f.Kind == protocol.Ping {
		q.op = opPing
	}
	return c.push(q)
}

func (c *Conn) push(f frame) (room bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.dead {
		return true
	}
	if f.Kind == protocol.List {
		f.Size = 0 // at most one waits
		for i := range c.queue {
			if c.queue[i].Kind == protocol.List {
				c.queue[i] = f
				return true
			}
		}
	} else if c.frames >= c.cfg.QueueFrames || c.bytes > c.cfg.QueueBytes {
		c.closeLocked(protocol.CloseTooSlow, "too slow a reader")
		return false
	}
	c.pushLocked(f)
	return true
}

func (c *Conn) pushLocked(f frame) {
	if c.queue == nil {
		c.queue = *queues.Get().(*[]frame)
	}
	c.queue = append(c.queue, f)
	c.frames++
	c.bytes += f.Size
}

// queues holds room for what waits; an idle connection has none.
var queues = sync.Pool{New: func() any { q := make([]frame, 0, 16); return &q }}

func giveBack(q []frame) {
	if n := cap(q); n > 0 && n <= 64 {
		clear(q)
		q = q[:0]
		queues.Put(&q)
	}
}

// Close implements [protocol.Conn].
func (c *Conn) Close(code uint16, words string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = true
	c.closeLocked(code, words)
}

func (c *Conn) closeLocked(code uint16, words string) {
	if c.closing || c.dead {
		return
	}
	if code == protocol.CloseTooSlow || code == protocol.CloseTakenOver {
		for _, f := range c.queue {
			c.frames--
			c.bytes -= f.Size
		}
		giveBack(c.queue)
		c.queue = nil
	}
	f := frame{op: opClose}
	if code != closeNoStatus {
		f.Data = append(binary.BigEndian.AppendUint16(nil, code), words...)
	}
	c.pushLocked(f)
	c.closing = true
	if !c.writing {
		c.writing = true
		c.writers.Add(1) // the reader does not wait for them yet: the connection is not dead
		go c.write(true) // whoever closes may hold locks
	}
}

// Closing implements [protocol.Conn].
func (c *Conn) Closing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// Abort implements [protocol.Conn].
func (c *Conn) Abort() { c.sock.Close() } // the reader hears of it

// LastFrameAt implements [protocol.Conn].
func (c *Conn) LastFrameAt() time.Time { return c.began.Add(time.Duration(c.lastFrame.Load())) }

// Flush implements [protocol.Conn].
func (c *Conn) Flush() {
	c.mu.Lock()
	if c.writing || c.dead || len(c.queue) == 0 {
		c.mu.Unlock()
		return
	}
	c.writing = true
	c.writers.Add(1) // as in closeLocked
	c.mu.Unlock()
	if c.sock.raw == nil || !c.write(false) {
		go c.write(true)
	}
}

// write is the writer: it ends when nothing waits or, unless it may wait for the client, when the socket takes no more;
// then it is not finished, and must be called again.
func (c *Conn) write(wait bool) (finished bool) {
	for {
		if c.out.empty() && !c.take() {
			return true
		}
		done, err := c.out.send(c.sock, wait, c.cfg.WriteTimeout)
		if err != nil {
			c.sock.Close() // the reader hears of it and cleans up
			c.out.rings, c.out.closed = nil, false
		} else if !done {
			return false
		}
		c.written()
	}
}

// take gathers what waits. It is false when that is nothing: there is no writer any more.
func (c *Conn) take() bool {
	c.mu.Lock()
	batch := c.queue
	c.queue = nil
	if len(batch) == 0 {
		c.writing = false
		c.mu.Unlock()
		c.writers.Done()
		return false
	}
	c.mu.Unlock()
	for i := range batch {
		c.out.add(&batch[i], c.cfg.Encode)
	}
	giveBack(batch)
	return true
}

// written notes that all of out is with the network, or lost with the connection.
func (c *Conn) written() {
	o := &c.out
	c.mu.Lock()
	c.frames -= o.frames
	c.bytes -= o.bytes
	c.closed = c.closed || o.closed
	through := c.through && o.closed
	c.mu.Unlock()
	if o.closed {
		c.sock.SetReadDeadline(time.Now().Add(lingerTime))
		if through {
			c.sock.closeWrite()
		}
	}
	rings := o.rings
	o.reset()
	if rings != nil {
		c.to.Rang(rings)
	}
}
