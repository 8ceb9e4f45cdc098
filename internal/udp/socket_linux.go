//go:build !udp_standin

package udp

// This file is the socket: opened, sent from, closed.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"duet/internal/lock"
)

const (
	// SharesPorts: several sockets on one port share its datagrams.
	SharesPorts = true
	// Tells: where a datagram was sent to, and when it was taken in, can be asked (Options.Local and Times).
	Tells = true
)

// Socket is a UDP socket outside Go's poller.
type Socket struct {
	addr  *net.UDPAddr
	inet6 bool // its family
	many  bool // it has all addresses of this machine, and says to which a datagram was sent

	mu      lock.RWMutex[lock.Socket] // keeps fd open while it is used
	fd      int
	waiting bool // somebody waits in it, who closes fd
	closed  bool
	lost    uint64 // by the kernel, until it was closed
}

func bind(network, address string, o Options) (*net.UDPConn, error) {
	var inner error
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		if !o.ReusePort {
			return nil
		}
		err := c.Control(func(fd uintptr) { inner = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		return errors.Join(err, os.NewSyscallError("setsockopt SO_REUSEPORT", inner))
	}}
	pc, err := lc.ListenPacket(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	conn := pc.(*net.UDPConn)
	raw, err := conn.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			setBuffers(int(fd), o.Receive, o.Send)
			inner = attach(int(fd), o.Chooser)
		})
	}
	if err = errors.Join(err, inner); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// attach gives the kernel a program that chooses among the sockets of a port.
func attach(fd int, code []bpf.RawInstruction) error {
	if len(code) == 0 {
		return nil
	}
	filter := make([]unix.SockFilter, len(code))
	for i, c := range code {
		filter[i] = unix.SockFilter{Code: c.Op, Jt: c.Jt, Jf: c.Jf, K: c.K}
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return os.NewSyscallError("setsockopt SO_ATTACH_REUSEPORT_CBPF",
		unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &program))
}

func setBuffers(fd, receive, send int) {
	for _, o := range []struct{ force, plain, size int }{
		{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, receive}, {unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, send},
	} {
		if o.size > 0 && unix.SetsockoptInt(fd, unix.SOL_SOCKET, o.force, o.size) != nil {
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, o.plain, o.size)
		}
	}
}

func take(conn *net.UDPConn, o Options) (*Socket, error) {
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("take the socket out of the poller: %w", err)
	}
	s := &Socket{addr: conn.LocalAddr().(*net.UDPAddr), fd: -1}
	var inner error
	err = raw.Control(func(fd uintptr) {
		var domain int
		if domain, inner = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN); inner == nil {
			s.inet6 = domain == unix.AF_INET6
			s.fd, inner = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
		}
	})
	if err = errors.Join(err, inner); err != nil {
		return nil, fmt.Errorf("take the socket out of the poller: %w", err)
	}
	_ = fragments(s.fd, false) // only slower if it is refused
	if s.many = o.Local && s.addr.IP.IsUnspecified(); s.many && s.inet6 {
		err = unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	} else if s.many {
		err = unix.SetsockoptInt(s.fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
	if o.Times {
		err = errors.Join(err, unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1))
	}
	if err != nil {
		unix.Close(s.fd)
		return nil, fmt.Errorf("ask for what is told of a datagram: %w", err)
	}
	return s, nil
}

// LocalAddr is what the socket is bound to.
func (s *Socket) LocalAddr() *net.UDPAddr { return s.addr }

// Sockaddr spells an address for this socket. from is the address of this machine to send from, which only a socket that has
// all of them is told; it may be the zero Addr.
func (s *Socket) Sockaddr(to netip.AddrPort, from netip.Addr) Sockaddr {
	if !s.many {
		from = netip.Addr{}
	}
	return NewSockaddr(to, from, s.inet6)
}

// Send sends one datagram at once or not at all, from any goroutine.
func (s *Socket) Send(b []byte, to *Sockaddr) error {
	if !to.IsValid() {
		return unix.EAFNOSUPPORT
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return net.ErrClosed
	}
	if to.local != nil && len(b) > 0 {
		return sendmsg(s.fd, b, to)
	}
	_, err := insist(s.fd, func() (uintptr, unix.Errno) {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
			unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&to.raw)), uintptr(to.len))
		return n, errno
	})
	return err
}

// SendTo is Send to somebody who gets but this.
func (s *Socket) SendTo(b []byte, to netip.AddrPort) error {
	var sa Sockaddr
	sa.set(to, s.inet6)
	return s.Send(b, &sa)
}

// sendmsg is sendto with a choice of the address to send from.
func sendmsg(fd int, b []byte, to *Sockaddr) error {
	iov := unix.Iovec{Base: &b[0]}
	iov.SetLen(len(b))
	msg := unix.Msghdr{Name: (*byte)(unsafe.Pointer(&to.raw)), Namelen: to.len, Iov: &iov, Control: (*byte)(unsafe.Pointer(to.local))}
	msg.SetIovlen(1)
	msg.SetControllen(to.local.size())
	_, err := insist(fd, func() (uintptr, unix.Errno) {
		n, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_DONTWAIT)
		return n, errno
	})
	return err
}

// fragments says whether the system may cut what a socket sends over IPv4. Where it may not, it need not give each datagram
// a number by which its fragments would be put together again, 6 % of the work of forwarding it in a profile on
// loopback. Datagrams that fit are marked as not to be fragmented either way.
func fragments(fd int, may bool) error {
	how := unix.IP_PMTUDISC_DO
	if may {
		how = unix.IP_PMTUDISC_WANT
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, how)
}

// insist makes a call that sends, and once more in fragments if the path is too narrow, which is how this socket goes on.
func insist(fd int, send func() (uintptr, unix.Errno)) (int, error) {
	n, errno := send()
	if errno == unix.EMSGSIZE && fragments(fd, true) == nil {
		n, errno = send()
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// Lost is how many datagrams did not fit into the receive buffer (SO_MEMINFO, since Linux 4.12), also once it is closed.
func (s *Socket) Lost() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return s.lost
	}
	return lost(s.fd)
}

func lost(fd int) uint64 {
	var info [9]uint32 // the last one
	size := uint32(unsafe.Sizeof(info))
	if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0); errno != 0 {
		return 0
	}
	return uint64(info[8])
}

// Close ends sending and receiving, and says whether it was this call that did. Who waits is woken, and closes the
// descriptor: shutting an unconnected socket down is an error, and yet it wakes.
func (s *Socket) Close() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.closed, s.lost = true, lost(s.fd)
	if s.waiting {
		_ = unix.Shutdown(s.fd, unix.SHUT_RDWR)
	} else {
		_ = unix.Close(s.fd) // which takes it out of a Poller, too
	}
	return true
}

// Leave is called by who has waited, at its end, and closes the socket if nobody has.
func (s *Socket) Leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed, s.lost, s.waiting = true, lost(s.fd), true
	}
	if s.waiting {
		s.waiting = false
		_ = unix.Close(s.fd)
	}
}

// beginWait makes the caller the one that waits, in the system call itself.
func (s *Socket) beginWait() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.waiting = true
	return unix.SetNonblock(s.fd, false)
}

func (s *Socket) isClosed() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.closed
}
