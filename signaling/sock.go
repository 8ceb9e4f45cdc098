package signaling

// This file is the byte stream under one WebSocket. It lets an idle connection
// hold no buffers, gathers the frames that wait for a client into one system
// call, and lets anybody write to a client without waiting for it.

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

const (
	aheadSize   = 16 << 10 // read at once
	gatherSize  = 8 << 10
	gatherKeep  = 64 << 10
	directWrite = 16 << 10 // frames from this size are not copied
	readsAtOnce = 8        // before what they led to is written
)

// sock is a net.Conn for gorilla: buffered on both sides, with buffers that it
// has only while they hold something. The deadlines that gorilla sets for
// writing are ours to set.
type sock struct {
	net.Conn
	raw     syscall.RawConn // of a plain TCP connection; nil: reads and writes block
	timeout time.Duration   // of a write

	// The reader's.
	ahead    *[]byte // read and not taken
	taken    int
	own      []byte      // buffer of a connection without raw
	owes     func() bool // something is to be done before a read that waits
	idle     func()      // does it
	reads    int         // since it was done
	now      bool        // this read does not wait
	attempt  func(fd uintptr) bool
	readN    int
	readErr  error
	deadline time.Time // for reading, as it was last set

	mu      sync.Mutex // guards what follows; held over a write that may block only by c's own writer
	corked  bool
	out     *[]byte   // gathered
	written time.Time // when the deadline for writing was last set
	tryOut  func(fd uintptr) bool
	outN    int
	outErr  error
}

func newSock(c net.Conn, timeout time.Duration) *sock {
	s := &sock{Conn: c, timeout: timeout, idle: func() {}, owes: func() bool { return false }}
	if tcp := plainTCP(c); tcp != nil && nonblocking {
		if raw, err := tcp.SyscallConn(); err == nil {
			s.raw = raw
			s.attempt = s.readOnce
			s.tryOut = s.writeOnce
		}
	}
	return s
}

// plainTCP finds the TCP connection under wrappers that pass everything through.
func plainTCP(c net.Conn) *net.TCPConn {
	for {
		switch wrapped := c.(type) {
		case *net.TCPConn:
			return wrapped
		case *tls.Conn:
			return nil
		case interface{ NetConn() net.Conn }:
			c = wrapped.NetConn()
		default:
			return nil
		}
	}
}

var (
	aheads  = sync.Pool{New: func() any { b := make([]byte, aheadSize); return &b }}
	gathers = sync.Pool{New: func() any { b := make([]byte, 0, gatherSize); return &b }}
)

// await waits until there is something to read.
func (s *sock) await() error {
	if s.ahead != nil {
		return nil
	}
	if s.raw != nil && s.reads < readsAtOnce && s.owes() && s.another() {
		s.reads++
		return nil
	}
	s.reads = 0
	s.idle()
	return s.fill()
}

// another reads what has come meanwhile: a sender's burst becomes one write.
func (s *sock) another() bool {
	s.now = true
	err := s.raw.Read(s.attempt)
	s.now = false
	return err == nil && s.ahead != nil
}

func (s *sock) Read(p []byte) (int, error) {
	if err := s.await(); err != nil {
		return 0, err
	}
	n := copy(p, (*s.ahead)[s.taken:])
	if s.taken += n; s.taken == len(*s.ahead) {
		s.release()
	}
	return n, nil
}

func (s *sock) release() {
	if s.raw != nil {
		*s.ahead = (*s.ahead)[:cap(*s.ahead)]
		aheads.Put(s.ahead)
	}
	s.ahead, s.taken = nil, 0
}

// fill reads what there is, or waits for it without holding a buffer.
func (s *sock) fill() error {
	if s.raw == nil {
		if s.own == nil {
			s.own = make([]byte, 2<<10)
		}
		n, err := s.Conn.Read(s.own)
		if n == 0 {
			if err == nil {
				err = io.ErrNoProgress
			}
			return err
		}
		b := s.own[:n]
		s.ahead = &b
		return nil
	}
	if err := s.raw.Read(s.attempt); err != nil {
		return err
	}
	switch {
	case s.readErr != nil:
		return &net.OpError{Op: "read", Net: "tcp", Err: s.readErr}
	case s.readN == 0:
		return io.EOF
	}
	return nil
}

// readOnce is the read of an attempt; false waits until there is more.
func (s *sock) readOnce(fd uintptr) bool {
	buf := aheads.Get().(*[]byte)
	again := false
	s.readN, again, s.readErr = readFD(fd, *buf)
	if again || s.readErr != nil || s.readN == 0 {
		aheads.Put(buf)
		return !again || s.now
	}
	*buf = (*buf)[:s.readN]
	s.ahead = buf
	return true
}

// SetWriteDeadline does nothing: a deadline is set when something is written.
func (s *sock) SetWriteDeadline(time.Time) error { return nil }

// Write gathers while corked. Otherwise it is a control frame of gorilla's own,
// which ends the connection: it is sent if that is possible without waiting.
func (s *sock) Write(p []byte) (int, error) {
	if s.raw != nil && !s.mu.TryLock() {
		return len(p), nil
	} else if s.raw == nil {
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	switch {
	case s.corked && len(p) < directWrite:
		if s.out == nil {
			s.out = gathers.Get().(*[]byte)
		}
		*s.out = append(*s.out, p...)
		return len(p), nil
	case !s.corked && s.raw != nil && len(p) < directWrite:
		if s.out == nil {
			s.out = gathers.Get().(*[]byte)
		}
		*s.out = append(*s.out, p...)
		_, err := s.tryLocked()
		return len(p), err
	}
	if err := s.flushLocked(); err != nil {
		return 0, err
	}
	if s.raw != nil {
		s.Conn.SetWriteDeadline(time.Now().Add(s.timeout))
		defer s.Conn.SetWriteDeadline(time.Time{})
	}
	return s.Conn.Write(p)
}

// gather adds a text frame to what is gathered (RFC 6455 section 5.2). gorilla
// would take a buffer of its own for it, and copy it once more.
func (s *sock) gather(text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out == nil {
		s.out = gathers.Get().(*[]byte)
	}
	b := append(*s.out, 0x80|websocket.TextMessage)
	if n := len(text); n < 126 {
		b = append(b, byte(n))
	} else {
		b = append(b, 126, byte(n>>8), byte(n)) // it is shorter than directWrite
	}
	*s.out = append(b, text...)
}

// cork begins to gather.
func (s *sock) cork() {
	s.mu.Lock()
	s.corked = true
	s.mu.Unlock()
}

// uncork sends what was gathered. Unless it may wait it does not, and says
// whether all is sent.
func (s *sock) uncork(wait bool) (done bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.corked = false
	if !wait {
		return s.tryLocked()
	}
	return true, s.flushLocked()
}

func (s *sock) flushLocked() error {
	now := time.Now()
	if s.raw != nil {
		// An old deadline would fail the next write that does not wait.
		s.Conn.SetWriteDeadline(now.Add(s.timeout))
		defer s.Conn.SetWriteDeadline(time.Time{})
	} else if now.Sub(s.written) > s.timeout/4 {
		s.written = now
		s.Conn.SetWriteDeadline(now.Add(s.timeout + s.timeout/4))
	}
	if s.out == nil {
		return nil
	}
	_, err := s.Conn.Write(*s.out)
	s.emptyLocked()
	return err
}

func (s *sock) emptyLocked() {
	if cap(*s.out) <= gatherKeep {
		*s.out = (*s.out)[:0]
		gathers.Put(s.out)
	}
	s.out = nil
}

// tryLocked writes as much as the kernel takes.
func (s *sock) tryLocked() (done bool, err error) {
	for s.out != nil {
		if err := s.raw.Write(s.tryOut); err != nil {
			return false, err
		}
		if s.outErr != nil {
			return false, &net.OpError{Op: "write", Net: "tcp", Err: s.outErr}
		}
		if s.outN == len(*s.out) {
			s.emptyLocked()
			break
		}
		if s.outN == 0 {
			return false, nil
		}
		*s.out = append((*s.out)[:0], (*s.out)[s.outN:]...)
	}
	return true, nil
}

// writeOnce never asks to wait.
func (s *sock) writeOnce(fd uintptr) bool {
	s.outN, _, s.outErr = writeFD(fd, *s.out)
	return true
}

// aliveUntil sets the deadline for reading, unless it is nearly there already:
// moving a timer for every frame costs more than the frame.
func (s *sock) aliveUntil(now time.Time, idle time.Duration) {
	if wanted := now.Add(idle); wanted.After(s.deadline) {
		s.deadline = wanted.Add(idle / 16)
		s.Conn.SetReadDeadline(s.deadline)
	}
}
