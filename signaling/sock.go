package signaling

// This file is the byte stream under one WebSocket. It gathers the frames that
// wait for a client into one system call.

import (
	"net"
	"sync"
)

const gatherLimit = 32 << 10

// sock is a net.Conn whose writes can be gathered between cork and uncork.
type sock struct {
	net.Conn

	mu     sync.Mutex // guards what follows and the order of writes
	corked bool
	buf    *[]byte // of gathered, while it holds anything
}

// gathered holds write buffers; a connection has one only while it writes.
var gathered = sync.Pool{New: func() any { b := make([]byte, 0, gatherLimit); return &b }}

func (s *sock) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.corked && len(p) <= gatherLimit/2 {
		if s.buf == nil {
			s.buf = gathered.Get().(*[]byte)
		}
		if len(*s.buf)+len(p) > gatherLimit {
			if err := s.flushLocked(); err != nil {
				return 0, err
			}
		}
		*s.buf = append(*s.buf, p...)
		return len(p), nil
	}
	if err := s.flushLocked(); err != nil {
		return 0, err
	}
	return s.Conn.Write(p)
}

func (s *sock) flushLocked() error {
	if s.buf == nil || len(*s.buf) == 0 {
		return nil
	}
	_, err := s.Conn.Write(*s.buf)
	*s.buf = (*s.buf)[:0]
	return err
}

func (s *sock) cork() {
	s.mu.Lock()
	s.corked = true
	s.mu.Unlock()
}

// uncork sends what was gathered.
func (s *sock) uncork() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.corked = false
	err := s.flushLocked()
	if s.buf != nil {
		gathered.Put(s.buf)
		s.buf = nil
	}
	return err
}
