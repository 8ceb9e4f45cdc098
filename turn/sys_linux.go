package turn

// This file is what the loops ask of Linux: sockets outside Go's poller, and datagrams in batches.

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"duet/internal/udpbuf"
)

// sockaddr is an address as the system wants it: IPv4 in the first 16 bytes, or IPv6.
type sockaddr struct {
	raw     unix.RawSockaddrInet6
	len     uint32
	control *control // names the address to send from; nil: the system chooses
}

// control is a control message about this machine's address: IP_PKTINFO or IPV6_PKTINFO.
type control struct {
	hdr unix.Cmsghdr
	buf [unix.SizeofInet6Pktinfo + 4]byte
}

const controlSize = unix.SizeofCmsghdr + unix.SizeofInet6Pktinfo + 4

// makeControl spells the wish to send from local.
func makeControl(local netip.Addr, family int) *control {
	c := new(control)
	if family == unix.AF_INET {
		c.hdr.Level, c.hdr.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
		c.hdr.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
		v4 := local.As4()
		copy(c.buf[4:], v4[:]) // ipi_spec_dst
		return c
	}
	c.hdr.Level, c.hdr.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
	c.hdr.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
	v6 := local.As16()
	copy(c.buf[:], v6[:])
	return c
}

// size is what the system wants to know of it.
func (c *control) size() int {
	if c.hdr.Level == unix.IPPROTO_IP {
		return unix.CmsgSpace(unix.SizeofInet4Pktinfo)
	}
	return unix.CmsgSpace(unix.SizeofInet6Pktinfo)
}

// local reads the address that a datagram was sent to.
func (c *control) local() netip.Addr {
	switch {
	case c.hdr.Level == unix.IPPROTO_IP && c.hdr.Type == unix.IP_PKTINFO:
		return netip.AddrFrom4([4]byte(c.buf[8:12])) // ipi_addr
	case c.hdr.Level == unix.IPPROTO_IPV6 && c.hdr.Type == unix.IPV6_PKTINFO:
		return netip.AddrFrom16([16]byte(c.buf[:16])).Unmap()
	}
	return netip.Addr{}
}

// wantLocal asks the system to say which address a datagram was sent to.
func wantLocal(fd, family int) error {
	if family == unix.AF_INET {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
}

// makeSockaddr spells addr for a socket of the family; an IPv6 socket takes IPv4 as mapped addresses.
func makeSockaddr(addr netip.AddrPort, family int) (s sockaddr) {
	port := addr.Port()<<8 | addr.Port()>>8
	if isBig() {
		port = addr.Port()
	}
	if family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.raw))
		v4.Family, v4.Port, v4.Addr = unix.AF_INET, port, addr.Addr().As4()
		s.len = unix.SizeofSockaddrInet4
		return s
	}
	s.raw.Family, s.raw.Port, s.raw.Addr = unix.AF_INET6, port, addr.Addr().As16()
	s.len = unix.SizeofSockaddrInet6
	return s
}

func isBig() bool { return binary.NativeEndian.Uint16([]byte{0, 1}) == 1 }

// addrPort reads what the system has written.
func (s *sockaddr) addrPort() netip.AddrPort {
	p := (*[2]byte)(unsafe.Pointer(&s.raw.Port))
	port := binary.BigEndian.Uint16(p[:])
	switch s.raw.Family {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&s.raw)).Addr), port)
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(s.raw.Addr).Unmap(), port)
	}
	return netip.AddrPort{}
}

// mmsghdr is struct mmsghdr.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// reset makes room for a sender's address and for control messages, of which a receipt leaves what it has filled.
func (m *mmsghdr) reset() {
	m.hdr.Namelen = unix.SizeofSockaddrInet6
	m.hdr.SetControllen(controlSize)
}

func recvmmsg(fd int, msgs []mmsghdr) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&msgs[0])), uintptr(len(msgs)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func sendmmsg(fd int, msgs []mmsghdr) (int, error) {
	return insist(fd, func() (uintptr, unix.Errno) {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&msgs[0])), uintptr(len(msgs)), unix.MSG_DONTWAIT, 0, 0)
		return n, errno
	})
}

func sendto(fd int, b []byte, to *sockaddr) error {
	_, err := insist(fd, func() (uintptr, unix.Errno) {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
			unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&to.raw)), uintptr(to.len))
		return n, errno
	})
	return err
}

// sendmsg is sendto with a choice of the address to send from.
func sendmsg(fd int, b []byte, to *sockaddr) error {
	if to.control == nil || len(b) == 0 {
		return sendto(fd, b, to)
	}
	iov := unix.Iovec{Base: &b[0]}
	iov.SetLen(len(b))
	msg := unix.Msghdr{Name: (*byte)(unsafe.Pointer(&to.raw)), Namelen: to.len, Iov: &iov, Control: (*byte)(unsafe.Pointer(to.control))}
	msg.SetIovlen(1)
	msg.SetControllen(to.control.size())
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

// keepUnsent bounds what the system takes from us and does not send yet. By itself it takes megabytes, and a client whose way
// becomes narrow gets all of them before anything that is new.
func keepUnsent(c *net.TCPConn, bytes int) {
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, bytes) })
	}
}

// openUDP binds a socket and keeps it out of Go's poller, which would wake up for every datagram.
func openUDP(network, address string, share bool, receive, send int) (fd, family int, local *net.UDPAddr, err error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if share {
			if e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }); e != nil {
				return e
			}
		}
		return os.NewSyscallError("setsockopt SO_REUSEPORT", err)
	}}
	pc, err := lc.ListenPacket(context.Background(), network, address)
	if err != nil {
		return 0, 0, nil, err
	}
	conn := pc.(*net.UDPConn)
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, 0, nil, err
	}
	if e := raw.Control(func(old uintptr) {
		if fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return
		}
		family, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	}); e != nil {
		return 0, 0, nil, e
	}
	if err != nil {
		return 0, 0, nil, fmt.Errorf("dup: %w", err)
	}
	_ = fragments(fd, false) // only slower if it is refused
	udpbuf.Set(conn, receive, send)
	return fd, family, conn.LocalAddr().(*net.UDPAddr), nil
}
