package turn

// This file serves TCP and TLS: own framing with deadlines and caps, one library server for each connection.

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"duet/internal/lock"
	"duet/internal/peraddr"
	"duet/internal/udp"
)

// writeSize is how much is written at once, about: what the connection has taken cannot be taken back.
const writeSize = 16 << 10

var errFrame = errors.New("not a STUN or TURN frame")

// streams are those that exist, to bound them. When there are too many, the oldest without an allocation gives way.
type streams struct {
	mu     lock.Mutex[lock.Leaf] // guards what follows
	places *peraddr.Places[*stream]
}

func newStreams(most, perIP int) *streams {
	return &streams{places: peraddr.NewPlaces[*stream](most, perIP)}
}

// enter takes a stream in, or says which bound forbids it. leaver is who gives way for it, or nil.
func (s *streams) enter(l *stream) (bound string, leaver *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	how, leaver, _ := s.places.Enter(l, l.from.Addr())
	return map[peraddr.Entry]string{peraddr.FullEach: "streams_per_ip", peraddr.FullAll: "all"}[how], leaver
}

// needed says whether a stream has an allocation.
func (s *streams) needed(l *stream, yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places.Needed(l, yes)
}

func (s *streams) leave(l *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places.Leave(l)
}

func (s *streams) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.places.Len()
}

// accept takes connections until the listener closes. Other errors, such as no more file descriptors, pass.
func (s *Server) accept(ctx context.Context, l net.Listener) {
	var conns sync.WaitGroup
	defer conns.Wait()
	pause := time.Duration(0)
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			conns.Go(func() { s.ServeConn(ctx, c) })
		case errors.Is(err, net.ErrClosed):
			return
		default:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.stats.drop(dropAccept)
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
		}
	}
}

// ServeConn serves one client's stream until it or ctx ends, and closes it.
func (s *Server) ServeConn(ctx context.Context, c net.Conn) {
	defer c.Close()
	from, ok := addrPort(c.RemoteAddr())
	if !ok {
		s.stats.drop(dropFrame)
		return
	}
	l := newStream(c, from, &s.limits, s.stats)
	l.among = s.streams
	bound, leaver := s.streams.enter(l)
	if bound != "" {
		s.stats.drop(dropFull)
		s.log.Warn("turn refuses a stream", "from", from.Addr(), "bound", bound)
		return
	}
	defer s.streams.leave(l)
	if leaver != nil {
		s.stats.drop(dropFull)
		s.log.Warn("turn has too many streams and ends one without allocation", "from", leaver.from.Addr())
		leaver.cut()
	}
	if tcp, ok := below[*net.TCPConn](c); ok {
		udp.KeepUnsent(tcp, writeSize)
	}
	f, err := newGate(s, l)
	if err != nil {
		s.log.Error("turn stream not served", "error", err)
		return
	}
	stop := context.AfterFunc(ctx, func() { l.close() })
	defer stop()
	over := make(chan struct{})
	go func() {
		defer close(over)
		l.writeLoop(s.limits.write)
	}()
	f.wait()
	l.close()
	<-over
}

// addrPort is the address of a client, whatever stands between.
func addrPort(a net.Addr) (netip.AddrPort, bool) {
	switch a := a.(type) {
	case *net.TCPAddr:
		p := a.AddrPort()
		return netip.AddrPortFrom(canonical(p.Addr()), p.Port()), p.IsValid()
	case nil:
		return netip.AddrPort{}, false
	}
	p, err := netip.ParseAddrPort(a.String())
	return netip.AddrPortFrom(canonical(p.Addr()), p.Port()), err == nil
}

// stream is the gate's link over one connection.
type stream struct {
	conn   net.Conn
	r      *bufio.Reader
	from   netip.AddrPort
	limits *limits
	stats  *stats
	among  *streams      // nil in tests
	queued chan struct{} // something waits in out

	seen atomic.Bool // a whole frame has come

	mu     lock.Mutex[lock.Leaf] // guards what follows
	out    sendQueue
	closed bool
	holds  bool // an allocation
	woken  bool // read has not noticed yet
}

func newStream(c net.Conn, from netip.AddrPort, l *limits, s *stats) *stream {
	return &stream{conn: c, r: bufio.NewReaderSize(c, 2048), from: from, limits: l, stats: s, queued: make(chan struct{}, 1)}
}

// read gives one whole frame. The length is judged before the body is read; after nonsense there is no way to find the
// next frame, so the stream ends.
func (l *stream) read(b []byte) (int, route, error) {
	from := route{client: l.from}
	if err := l.deadline(); err != nil {
		return 0, from, err
	}
	head, err := l.r.Peek(4)
	if err != nil {
		return 0, from, l.unlessWoken(err)
	}
	n, padded, err := frameSize(head)
	if err != nil || padded > len(b) {
		return 0, from, errFrame
	}
	frame, err := l.r.Peek(padded) // stays where it is when this is interrupted
	if err != nil {
		return 0, from, l.unlessWoken(err)
	}
	copy(b, frame)
	l.r.Discard(padded)
	l.seen.Store(true)
	return n, from, nil
}

// wake ends a read by means of a deadline that has passed.
func (l *stream) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.woken = true
	l.deadlineLocked()
}

// unlessWoken is nil when the error is wake's.
func (l *stream) unlessWoken(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.woken && errors.Is(err, os.ErrDeadlineExceeded) {
		l.woken, err = false, nil
	}
	return err
}

// frameSize says how long the frame is that begins with head, and how much of the stream it takes.
func frameSize(head []byte) (n, padded int, err error) {
	n = 4 + int(binary.BigEndian.Uint16(head[2:]))
	switch {
	case isChannel(head[0]):
	case head[0] < 4 && n%4 == 0:
		n += headerSize - 4
	default:
		return 0, 0, errFrame
	}
	if n > maxFrame {
		return 0, 0, errFrame
	}
	return n, (n + 3) &^ 3, nil
}

// deadline bounds how long a stream may be silent: for ever while it carries an allocation, whose lifetime bounds it.
func (l *stream) deadline() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deadlineLocked()
}

func (l *stream) deadlineLocked() error {
	switch {
	case l.closed:
		return net.ErrClosed
	case l.woken:
		return l.conn.SetReadDeadline(time.Unix(1, 0))
	case l.holds:
		return l.conn.SetReadDeadline(time.Time{})
	case l.seen.Load():
		return l.conn.SetReadDeadline(time.Now().Add(l.limits.idleStream))
	}
	return l.conn.SetReadDeadline(time.Now().Add(l.limits.firstFrame))
}

func (l *stream) allocated(yes bool) {
	if l.among != nil {
		l.among.needed(l, yes)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holds = yes
	l.deadlineLocked()
}

// write queues one frame.
func (l *stream) write(b []byte, _ route) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if !l.out.put(b, time.Now()) {
		l.stats.drop(dropQueueFull)
		return
	}
	select {
	case l.queued <- struct{}{}:
	default:
	}
}

// writeLoop sends what is queued: over TLS each frame in a record of its own, because there are clients (coturn's tools)
// that take a record for a message. A client that takes nothing for too long is given up.
func (l *stream) writeLoop(patience time.Duration) {
	single := l.protocol() == "tls"
	var out []byte
	for range l.queued {
		for {
			if out = l.take(out[:0]); len(out) == 0 {
				break
			}
			for rest := out; len(rest) > 0; {
				n := len(rest)
				if single {
					_, n, _ = frameSize(rest)
				}
				l.conn.SetWriteDeadline(time.Now().Add(patience))
				if _, err := l.conn.Write(rest[:n]); err != nil {
					l.close()
					return
				}
				rest = rest[n:]
			}
		}
	}
}

// take appends to b what is to be written next.
func (l *stream) take(b []byte) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for len(b) < writeSize {
		frame, since := l.out.next()
		switch {
		case frame == nil:
			return b
		case now.Sub(since) > l.limits.late && isPayload(frame):
			l.stats.drop(dropLate)
		default:
			b = append(b, frame...)
		}
	}
	return b
}

// close takes leave without the lock: over TLS it waits up to 5 s for a client that takes nothing, and a loop that has a
// frame for this stream must not.
func (l *stream) close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.queued)
	l.mu.Unlock()
	return l.conn.Close()
}

// cut ends the stream without taking leave.
func (l *stream) cut() {
	if tcp, ok := below[*net.TCPConn](l.conn); ok {
		tcp.Close()
		return
	}
	l.close()
}

func (l *stream) local() net.Addr { return l.conn.LocalAddr() }
func (l *stream) datagrams() bool { return false }

func (l *stream) sockaddr(route) (none udp.Sockaddr) { return none }

func (l *stream) protocol() string {
	if _, ok := below[*tls.Conn](l.conn); ok {
		return "tls"
	}
	return "tcp"
}

// below finds a kind of connection in c or under it: ServeConn's caller may have looked at the first byte.
func below[C net.Conn](c net.Conn) (found C, ok bool) {
	for {
		if found, ok = c.(C); ok {
			return found, true
		}
		wrapper, more := c.(interface{ NetConn() net.Conn })
		if !more {
			return found, false
		}
		c = wrapper.NetConn()
	}
}
