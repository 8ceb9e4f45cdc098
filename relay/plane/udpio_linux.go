package plane

// The socket, and batches of datagrams: recvmmsg and sendmmsg. The loop waits in the system call itself. Go's poller would
// wake a second thread for each batch: two thirds more of the server's CPU, measured with another loop of this kind.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"duet/internal/udpbuf"
)

// mmsghdr is the kernel's struct mmsghdr.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// udpSocket is the port, outside Go's poller.
type udpSocket struct {
	local net.Addr
	inet6 bool // its family

	mu      sync.RWMutex // a leaf; keeps fd open while it is used outside the loop
	fd      int
	looping bool // the loop closes fd
	closed  bool
}

// newUDPSocket takes conn over, which is closed whatever happens.
func newUDPSocket(conn *net.UDPConn) (*udpSocket, error) {
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("reach the socket: %w", err)
	}
	s := &udpSocket{local: conn.LocalAddr(), fd: -1}
	var inner error
	err = raw.Control(func(fd uintptr) {
		var domain int
		if domain, inner = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN); inner == nil {
			s.inet6 = domain == unix.AF_INET6
			s.fd, inner = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
		}
	})
	if err := errors.Join(err, inner); err != nil {
		return nil, fmt.Errorf("take the socket out of the poller: %w", err)
	}
	return s, nil
}

// enter is called by the loop, which owns the descriptor from now on and waits in it. It reports false when the socket
// has been closed before.
func (s *udpSocket) enter() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, nil
	}
	s.looping = true
	return true, unix.SetNonblock(s.fd, false)
}

// write sends at once or not at all, from any goroutine.
func (s *udpSocket) write(b []byte, to netip.AddrPort) error {
	var sa unix.RawSockaddrInet6
	size, ok := writeSockaddr(&sa, to, s.inet6)
	if !ok {
		return unix.EAFNOSUPPORT
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return net.ErrClosed
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&sa)), uintptr(size))
	if errno != 0 {
		return errno
	}
	return nil
}

// lost is how many datagrams the kernel had no room for.
func (s *udpSocket) lost() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return 0
	}
	return udpbuf.Lost(s.fd)
}

// close ends sending and wakes the loop, which then closes the descriptor. Shutting an unconnected socket down is an
// error, and yet it wakes who waits for it.
func (s *udpSocket) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
	case s.looping:
		_ = unix.Shutdown(s.fd, unix.SHUT_RDWR)
	default:
		_ = unix.Close(s.fd)
	}
	s.closed = true
}

func (s *udpSocket) isClosed() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.closed
}

// leave is called by the loop at its end.
func (s *udpSocket) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	_ = unix.Close(s.fd)
}

// udpIO belongs to the loop.
type udpIO struct {
	s *udpSocket

	in     [batch]mmsghdr
	inVec  [batch]unix.Iovec
	inAddr [batch]unix.RawSockaddrInet6 // large enough for either family
	bufs   [batch][maxPacket]byte

	// A batch in may make more out: its packets and, for each, a report or a request.
	out     [3 * batch]mmsghdr
	outVec  [3 * batch]unix.Iovec
	outAddr [3 * batch]unix.RawSockaddrInet6
	queued  int
	dropped int
}

func newUDPIO(s *udpSocket) *udpIO {
	io := &udpIO{s: s}
	for i := range io.in {
		io.inVec[i].Base = &io.bufs[i][0]
		h := &io.in[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&io.inAddr[i]))
		h.Iov = &io.inVec[i]
		h.SetIovlen(1)
	}
	for i := range io.out {
		h := &io.out[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&io.outAddr[i]))
		h.Iov = &io.outVec[i]
		h.SetIovlen(1)
	}
	return io
}

// receive waits for packets and returns how many there are.
func (io *udpIO) receive() (int, error) {
	for i := range io.in {
		io.in[i].hdr.Namelen = unix.SizeofSockaddrInet6
		io.inVec[i].SetLen(largest + 1) // one more, to see what is too large
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(io.s.fd), uintptr(unsafe.Pointer(&io.in[0])), batch, unix.MSG_WAITFORONE, 0, 0)
		switch {
		case io.s.isClosed():
			return 0, net.ErrClosed
		case errno == 0:
			return int(n), nil
		case errno != unix.EINTR:
			return 0, errno
		}
	}
}

// packet is the i-th packet and its source. It may be changed, and grown up to maxPacket, until the next receive.
func (io *udpIO) packet(i int) ([]byte, netip.AddrPort) {
	return io.bufs[i][:io.in[i].n], readSockaddr(&io.inAddr[i])
}

// queue puts a packet into the next send. Its memory must stay until then.
func (io *udpIO) queue(b []byte, to netip.AddrPort) {
	if io.queued == len(io.out) {
		io.dropped++
		return
	}
	i := io.queued
	size, ok := writeSockaddr(&io.outAddr[i], to, io.s.inet6)
	if !ok {
		io.dropped++
		return
	}
	io.out[i].hdr.Namelen = size
	io.outVec[i].Base = &b[0]
	io.outVec[i].SetLen(len(b))
	io.queued++
}

// send sends what was queued and returns how much went out.
func (io *udpIO) send() (packets, bytes int) {
	if io.queued == 0 {
		return 0, 0
	}
	sent := 0
	for at := 0; at < io.queued; {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(io.s.fd), uintptr(unsafe.Pointer(&io.out[at])), uintptr(io.queued-at), unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EAGAIN {
			break // the socket is full: media is not worth waiting for
		}
		switch errno {
		case 0:
			for i := range int(n) {
				bytes += int(io.out[at+i].n)
			}
			at, sent = at+int(n), sent+int(n)
		case unix.EINTR:
		default: // an ICMP error for this one destination
			at++
		}
	}
	io.dropped += io.queued - sent
	io.queued = 0
	return sent, bytes
}

// lost is how many packets could not be sent since it was asked last.
func (io *udpIO) lost() int {
	n := io.dropped
	io.dropped = 0
	return n
}

func readSockaddr(sa *unix.RawSockaddrInet6) netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&sa.Port))[:])
	if sa.Family == unix.AF_INET {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), port)
}

func writeSockaddr(sa *unix.RawSockaddrInet6, to netip.AddrPort, inet6 bool) (size uint32, ok bool) {
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&sa.Port))[:], to.Port())
	if inet6 {
		sa.Family, sa.Addr, sa.Flowinfo, sa.Scope_id = unix.AF_INET6, to.Addr().As16(), 0, 0
		return unix.SizeofSockaddrInet6, true
	}
	if !to.Addr().Is4() {
		return 0, false
	}
	four := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
	four.Family, four.Addr, four.Zero = unix.AF_INET, to.Addr().As4(), [8]byte{}
	return unix.SizeofSockaddrInet4, true
}
