package bench

// This file keeps tens of thousands of TCP connections on one thread. A goroutine for each would cost more memory and
// time than the server under test spends on its side.

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"duet/internal/udp"
)

// Streams are TCP connections that one goroutine polls.
type Streams struct {
	epoll  int
	open   map[int32]*Stream
	events []unix.EpollEvent
	buf    []byte
	// Received counts the bytes of all streams.
	Received uint64
}

// Stream is one of them.
type Stream struct {
	ID         int // the caller's own
	all        *Streams
	fd         int
	connecting bool
	out        []byte // what the kernel did not take yet
	closed     bool
}

// NewStreams begins with none.
func NewStreams() (*Streams, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &Streams{epoll: fd, open: map[int32]*Stream{}, events: make([]unix.EpollEvent, 256), buf: make([]byte, 256<<10)}, nil
}

// Close closes all.
func (s *Streams) Close() {
	for _, st := range s.open {
		st.Close()
	}
	unix.Close(s.epoll)
}

// Dial begins to connect; from may be the zero Addr. Poll reports when it is done.
func (s *Streams) Dial(id int, from netip.Addr, to netip.AddrPort) (*Stream, error) {
	family := unix.AF_INET
	sockaddr := func(a netip.AddrPort) unix.Sockaddr {
		if a.Addr().Is4() {
			return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
		}
		return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
	}
	if !to.Addr().Is4() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("tcp socket: %w", err)
	}
	fail := func(what string, err error) (*Stream, error) {
		unix.Close(fd)
		return nil, fmt.Errorf("%s %s: %w", what, to, err)
	}
	if err := errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)); err != nil {
		return fail("tcp socket to", err)
	}
	if from.IsValid() {
		// The port is chosen with the destination known, so that each address has all of them.
		if err := errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
			unix.Bind(fd, sockaddr(netip.AddrPortFrom(from, 0)))); err != nil {
			return fail("bind for", err)
		}
	}
	if err := unix.Connect(fd, sockaddr(to)); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fail("connect", err)
	}
	if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT, Fd: int32(fd)}); err != nil {
		return fail("poll", err)
	}
	st := &Stream{ID: id, all: s, fd: fd, connecting: true}
	s.open[int32(fd)] = st
	return st, nil
}

// Close ends the stream without a word; Poll says nothing about it any more.
func (st *Stream) Close() {
	if st.closed {
		return
	}
	st.closed = true
	delete(st.all.open, int32(st.fd))
	unix.Close(st.fd)
}

// Closed reports whether Close was called.
func (st *Stream) Closed() bool { return st.closed }

// Write sends b, now or when the kernel takes it. An error shows at the next Poll.
func (st *Stream) Write(b []byte) {
	if st.closed {
		return
	}
	if len(st.out) == 0 && !st.connecting {
		n, err := unix.Write(st.fd, b)
		if n > 0 {
			b = b[n:]
		}
		if len(b) == 0 || err != nil && err != unix.EAGAIN {
			return
		}
	}
	st.out = append(st.out, b...)
	st.watch(unix.EPOLLIN | unix.EPOLLOUT)
}

func (st *Stream) watch(events uint32) {
	_ = unix.EpollCtl(st.all.epoll, unix.EPOLL_CTL_MOD, st.fd, &unix.EpollEvent{Events: events, Fd: int32(st.fd)}) // the descriptor is in there
}

// StreamEvent is what Poll reports: connected (no data, no error), data, or the end.
type StreamEvent struct {
	Stream *Stream
	Data   []byte // valid until the callback returns
	At     int64  // when the kernel took in the last byte, in nanoseconds since 1970
	Err    error  // io.EOF is not used: an end is syscall.ECONNRESET or another errno
}

// errEnded is a stream that the other side closed.
var errEnded = fmt.Errorf("closed by the other side: %w", syscall.ECONNRESET)

// Poll waits at most timeout (whole milliseconds) and reports what happened. It returns whether anything did.
func (s *Streams) Poll(timeout time.Duration, each func(StreamEvent)) (bool, error) {
	n, err := unix.EpollWait(s.epoll, s.events, int(timeout/time.Millisecond))
	if errors.Is(err, unix.EINTR) {
		return false, nil
	}
	if err != nil {
		return false, os.NewSyscallError("epoll_wait", err)
	}
	for _, ev := range s.events[:n] {
		st := s.open[ev.Fd]
		if st == nil {
			continue // closed by a callback before
		}
		if st.connecting {
			st.connecting = false
			if code, _ := unix.GetsockoptInt(st.fd, unix.SOL_SOCKET, unix.SO_ERROR); code != 0 {
				each(StreamEvent{Stream: st, Err: syscall.Errno(code)})
				st.Close()
				continue
			}
			st.watch(unix.EPOLLIN)
			each(StreamEvent{Stream: st})
			if st.closed {
				continue
			}
		}
		if ev.Events&unix.EPOLLOUT != 0 && len(st.out) > 0 {
			n, _ := unix.Write(st.fd, st.out)
			if st.out = st.out[max(n, 0):]; len(st.out) == 0 {
				st.out = nil
				st.watch(unix.EPOLLIN)
			}
		}
		if ev.Events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			s.read(st, each)
		}
	}
	return n > 0, nil
}

// read takes what is there, at most one buffer: the others shall have their turn.
func (s *Streams) read(st *Stream, each func(StreamEvent)) {
	n, at, err := udp.ReadStreamTime(st.fd, s.buf)
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return
	case err != nil || n == 0:
		if err == nil {
			err = errEnded
		}
		each(StreamEvent{Stream: st, Err: err})
		st.Close()
		return
	}
	s.Received += uint64(n)
	if at == 0 {
		at = time.Now().UnixNano()
	}
	each(StreamEvent{Stream: st, Data: s.buf[:n], At: at})
}

// MaxFiles raises the number of files this process may open as far as it is let, and returns it.
func MaxFiles() uint64 {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0
	}
	l.Cur = l.Max
	_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &l) // it is what it was otherwise
	return l.Cur
}
