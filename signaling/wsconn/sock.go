package wsconn

// This file is the byte stream under one WebSocket. It lets an idle connection hold no buffer, and lets anybody write to a
// client without waiting for it.

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"duet/internal/udp"
)

const (
	readSize    = 16 << 10 // read at once
	readsAtOnce = 8        // before what they led to is written
)

// sock is a stream's descriptor where it is plain TCP on a system that knows how; else reads and writes block.
type sock struct {
	net.Conn
	raw syscall.RawConn // nil: they block

	deadline time.Time // for reading, as it was last set

	// Whose turn it is to write.
	armed   time.Time // when the deadline for writing was last set; of those that block
	parts   *[][]byte
	wait    bool
	timeout time.Duration // not 0: the deadline is to be set before waiting
	err     error
	write1  func(fd uintptr) bool
}

func newSock(c net.Conn) *sock {
	s := &sock{Conn: c}
	if tcp := plainTCP(c); tcp != nil && udp.RawStreams {
		if raw, err := tcp.SyscallConn(); err == nil {
			udp.TellRest(raw)
			s.raw = raw
			s.write1 = s.writeOnce
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

var readBuffers = sync.Pool{New: func() any { b := make([]byte, readSize); return &b }}

// feed gives what comes to take, until that is false or the stream ends, and calls idle before it waits for more.
//
// The descriptor is read within one call of RawConn.Read for as long as it waits: that call forgets at its beginning what
// the poller has said before, but not while it waits. So a read that has taken all there was need not be followed by one
// that finds nothing.
func (s *sock) feed(take func(b []byte) bool, idle func()) error {
	if s.raw == nil {
		return s.feedBlocking(take, idle)
	}
	var end error
	over := false
	look := func(fd uintptr) bool {
		for range readsAtOnce {
			buf := readBuffers.Get().(*[]byte)
			n, rest, err := udp.ReadStream(fd, *buf)
			if n > 0 {
				over = !take((*buf)[:n])
			}
			readBuffers.Put(buf)
			switch {
			case err == syscall.EAGAIN:
				rest = false
			case err != nil:
				end, over = &net.OpError{Op: "read", Net: "tcp", Err: err}, true
			case n == 0:
				end, over = io.EOF, true
			}
			if over {
				return true
			}
			if !rest {
				idle()
				return false
			}
		}
		idle()
		return true // there is more, so that nothing is missed by beginning anew, which looks at the deadline
	}
	for !over {
		if err := s.raw.Read(look); err != nil {
			return err
		}
	}
	return end
}

func (s *sock) feedBlocking(take func(b []byte) bool, idle func()) error {
	buf := make([]byte, 2<<10)
	for {
		n, err := s.Conn.Read(buf)
		if n > 0 && !take(buf[:n]) {
			return nil
		}
		if err != nil {
			return err
		}
		idle()
	}
}

// write takes written bytes from the front of parts. Unless it may wait it does not, and says whether all is written.
func (s *sock) write(parts *[][]byte, wait bool, timeout time.Duration) (done bool, err error) {
	if s.raw == nil {
		if now := time.Now(); now.Sub(s.armed) > timeout/4 {
			s.armed = now
			s.Conn.SetWriteDeadline(now.Add(timeout + timeout/4))
		}
		for len(*parts) > 0 {
			if _, err := s.Conn.Write((*parts)[0]); err != nil {
				return false, err
			}
			*parts = (*parts)[1:]
		}
		return true, nil
	}
	s.parts, s.wait, s.err, s.timeout = parts, wait, nil, timeout
	if err := s.raw.Write(s.write1); err != nil {
		return false, err
	}
	if wait && s.timeout == 0 {
		s.Conn.SetWriteDeadline(time.Time{}) // an old one would fail the next write that does not wait
	}
	s.parts = nil
	return len(*parts) == 0, s.err
}

// writeOnce is write for one look at the descriptor.
func (s *sock) writeOnce(fd uintptr) bool {
	for len(*s.parts) > 0 {
		n, err := udp.WriteStream(fd, *s.parts)
		switch {
		case err == syscall.EAGAIN:
			if s.wait && s.timeout > 0 {
				s.Conn.SetWriteDeadline(time.Now().Add(s.timeout))
				s.timeout = 0
			}
			return !s.wait
		case err != nil:
			s.err = &net.OpError{Op: "write", Net: "tcp", Err: err}
			return true
		}
		for p := *s.parts; n > 0 || len(p) > 0 && len(p[0]) == 0; *s.parts = p {
			if n < len(p[0]) {
				p[0], n = p[0][n:], 0
				continue
			}
			n -= len(p[0])
			p = p[1:]
		}
	}
	return true
}

// aliveUntil sets the deadline for reading, unless it is nearly there already: moving a timer for every frame costs more
// than the frame.
func (s *sock) aliveUntil(now time.Time, idle time.Duration) {
	if wanted := now.Add(idle); wanted.After(s.deadline) {
		s.deadline = wanted.Add(idle / 16)
		s.Conn.SetReadDeadline(s.deadline)
	}
}

// closeWrite ends our side alone, where that can be done.
func (s *sock) closeWrite() {
	if tcp := plainTCP(s.Conn); tcp != nil {
		tcp.CloseWrite()
	} else if half, is := s.Conn.(interface{ CloseWrite() error }); is {
		half.CloseWrite()
	}
}
