package turn

// This file is an allocation's real socket on Linux, read by the loop of its client.

import (
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"

	"duet/internal/udpbuf"
)

// epollSocket implements relaySocket.
type epollSocket struct {
	allocation *allocation
	loop       *loop
	family     int

	mu   sync.Mutex // guards what follows; taken before loop.mu
	fd   int        // -1: closed
	lost uint64     // by the kernel, until then
}

// openRelay opens the socket of a relayed address. Clients on streams share the loops.
func (s *Server) openRelay(a *allocation) (relaySocket, error) {
	l, ok := a.gate.transport.(*loop)
	if !ok {
		if l, ok = s.udp[int(a.relay.Port())%len(s.udp)].(*loop); !ok {
			return nil, unix.EINVAL
		}
	}
	network, address := s.ports.bindTo(a.relay)
	fd, family, _, err := openUDP(network, address, false, relayBuffer, 0)
	if err != nil {
		return nil, err
	}
	e := &epollSocket{allocation: a, loop: l, family: family, fd: fd}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		unix.Close(fd)
		return nil, unix.EBADF
	}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	l.sockets[int32(fd)] = e
	return e, nil
}

func (e *epollSocket) send(b []byte, peer netip.AddrPort) error {
	to := makeSockaddr(peer, e.family)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fd < 0 {
		return unix.EBADF
	}
	return sendto(e.fd, b, &to)
}

func (e *epollSocket) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fd < 0 {
		return
	}
	e.lost = udpbuf.Lost(e.fd)
	e.loop.mu.Lock()
	if e.loop.sockets[int32(e.fd)] == e {
		delete(e.loop.sockets, int32(e.fd))
		e.loop.lost += e.lost
	}
	e.loop.mu.Unlock()
	unix.Close(e.fd) // which takes it out of epoll
	e.fd = -1
}

// drops is how many datagrams the kernel had no room for, also once it is closed.
func (e *epollSocket) drops() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fd >= 0 {
		return udpbuf.Lost(e.fd)
	}
	return e.lost
}

// readRelay takes what peers have sent. What is left comes with the next event.
func (l *loop) readRelay(e *epollSocket) {
	msgs := l.room(relayBatch)
	first := l.in.used
	e.mu.Lock()
	n, err := 0, error(unix.EBADF)
	if e.fd >= 0 {
		n, err = recvmmsg(e.fd, msgs)
	}
	e.mu.Unlock()
	if err != nil {
		return
	}
	l.in.used += n
	for i := first; i < first+n; i++ {
		size := min(int(l.in.msgs[i].len), bufferSize-4)
		if from := l.in.from[i].addrPort(); from.IsValid() {
			l.server.arrived(e.allocation, l.in.buf[i][:4+size], from, l.now, l)
		}
	}
}
