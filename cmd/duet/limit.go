package main

// How many streams there are at a time, of one customer and in all, and which give way: the oldest of those that nobody
// misses. Who comes last is more likely to be somebody who wants to call.

import (
	"container/list"
	"net"
	"net/netip"

	"duet/internal/lock"
	"duet/internal/peraddr"
)

const (
	// maxUndecided bounds the streams that have not said yet what they are.
	maxUndecided = 4096
	// maxUndecidedEach bounds those of one address (IPv6: see package peraddr) that are silent: behind one NAT many may be
	// in their TLS handshakes at a time.
	maxUndecidedEach = 64
	// maxPerAddress bounds the streams of one address that are neither WebSockets nor TURN, which count theirs themselves.
	// A page needs six. Proxies sit on loopback, which is not bounded.
	maxPerAddress = 1000
	// maxStreams bounds these streams in all.
	maxStreams = 10_000
)

// connLimiter counts the streams of one port.
type connLimiter struct {
	undecidedAll, undecidedEach, each, all int
	local                                  int // each, for loopback; 0: no bound

	mu        lock.Mutex[lock.Leaf]
	undecided list.List // of *stream, the oldest first
	idle      list.List // of *stream: HTTP connections between two requests, the longest idle first
	silent    peraddr.Counter
	counted   peraddr.Counter
	count     int
}

// stream is what the limiter knows of one. Its fields are guarded by the limiter's lock.
type stream struct {
	limiter *connLimiter
	conn    net.Conn   // what is closed when it gives way
	from    netip.Addr // invalid until it is counted by address, and where it is not
	counted bool
	in      *list.List    // undecided, idle or nil
	at      *list.Element // there
	silent  bool          // it is in silent
}

func newConnLimiter() *connLimiter {
	return &connLimiter{undecidedAll: maxUndecided, undecidedEach: maxUndecidedEach, each: maxPerAddress, all: maxStreams}
}

// accepted takes in a stream that has said nothing; the one that gives way for it, if any, is to be closed.
func (l *connLimiter) accepted(c net.Conn) (s *stream, oldest net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s = &stream{limiter: l, conn: c}
	if l.undecided.Len() >= l.undecidedAll {
		oldest = l.undecided.Front().Value.(*stream).conn
		l.undecided.Front().Value.(*stream).leaveLocked()
	}
	s.joinListLocked(&l.undecided)
	return s, oldest
}

// enter counts a stream by its address, which a proxy may have told only now. The one that gives way for it, if any, is
// to be closed; without ok it is the stream itself.
func (s *stream) enter(from net.Addr) (oldest net.Conn, ok bool) {
	var ip netip.Addr
	if ap, err := netip.ParseAddrPort(from.String()); err == nil {
		ip = ap.Addr().Unmap().WithZone("")
	}
	l := s.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	each, silentEach := l.each, l.undecidedEach
	if ip.IsLoopback() {
		each, silentEach = l.local, 0
	}
	if !ip.IsValid() {
		each, silentEach = 0, 0
	}
	if !l.counted.Fits(ip, each) {
		return nil, false
	}
	if !l.silent.Fits(ip, silentEach) {
		for e := l.undecided.Front(); e != nil && oldest == nil; e = e.Next() {
			if other := e.Value.(*stream); other.silent && peraddr.Of(other.from) == peraddr.Of(ip) {
				oldest = other.conn
				other.leaveLocked()
			}
		}
		if !l.silent.Fits(ip, silentEach) { // its whole /56 or /48 is full
			return oldest, false
		}
	}
	if l.count >= l.all {
		first := l.idle.Front()
		if first == nil {
			return oldest, false
		}
		other := first.Value.(*stream)
		oldest = other.conn
		other.leaveLocked()
	}
	s.from, s.counted = ip, true
	l.count++
	l.counted.Add(ip)
	if s.in == &l.undecided {
		l.silent.Add(ip)
		s.silent = true
	}
	return oldest, true
}

// spoke: it is not silent, though what it is may still be open.
func (s *stream) spoke() {
	s.limiter.mu.Lock()
	defer s.limiter.mu.Unlock()
	s.unsilenceLocked()
}

// decided: it has said what it is.
func (s *stream) decided() {
	s.limiter.mu.Lock()
	defer s.limiter.mu.Unlock()
	s.leaveListLocked()
}

// waits says whether an HTTP connection is between two requests.
func (s *stream) waits(idle bool) {
	s.limiter.mu.Lock()
	defer s.limiter.mu.Unlock()
	s.leaveListLocked()
	if idle && s.counted {
		s.joinListLocked(&s.limiter.idle)
	}
}

// leave ends the counting, once or more often.
func (s *stream) leave() {
	s.limiter.mu.Lock()
	defer s.limiter.mu.Unlock()
	s.leaveLocked()
}

func (s *stream) leaveLocked() {
	s.leaveListLocked()
	if s.counted {
		s.counted = false
		s.limiter.count--
		s.limiter.counted.Remove(s.from)
	}
}

func (s *stream) joinListLocked(in *list.List) { s.in, s.at = in, in.PushBack(s) }

func (s *stream) leaveListLocked() {
	if s.in != nil {
		s.in.Remove(s.at)
		s.in, s.at = nil, nil
	}
	s.unsilenceLocked()
}

func (s *stream) unsilenceLocked() {
	if s.silent {
		s.silent = false
		s.limiter.silent.Remove(s.from)
	}
}
