package plane

// Batches of datagrams: recvmmsg and sendmmsg through the runtime's poller.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is the kernel's struct mmsghdr.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// udpIO belongs to the loop.
type udpIO struct {
	raw   syscall.RawConn
	inet6 bool // the socket's family

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

	// Kept, so that a call allocates nothing.
	recv, snd func(fd uintptr) bool
	n         int
	err       error
}

func newUDPIO(conn *net.UDPConn) (*udpIO, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("reach the socket: %w", err)
	}
	io := &udpIO{raw: raw}
	var family error
	err = raw.Control(func(fd uintptr) {
		var domain int
		domain, family = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
		io.inet6 = domain == unix.AF_INET6
	})
	if err := errors.Join(err, family); err != nil {
		return nil, fmt.Errorf("read the socket's family: %w", err)
	}
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
	io.recv = func(fd uintptr) bool {
		for {
			n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&io.in[0])), batch, unix.MSG_DONTWAIT, 0, 0)
			switch errno {
			case 0:
				io.n, io.err = int(n), nil
				return true
			case unix.EINTR:
			case unix.EAGAIN:
				return false
			default:
				io.n, io.err = 0, errno
				return true
			}
		}
	}
	io.snd = func(fd uintptr) bool {
		for at := 0; at < io.queued; {
			n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&io.out[at])), uintptr(io.queued-at), unix.MSG_DONTWAIT, 0, 0)
			switch errno {
			case 0:
				at, io.n = at+int(n), io.n+int(n)
			case unix.EINTR:
			case unix.EAGAIN: // the socket is full: media is not worth waiting for
				return true
			default: // an ICMP error for this one destination
				at++
			}
		}
		return true
	}
	return io, nil
}

// receive waits for packets and returns how many there are.
func (io *udpIO) receive() (int, error) {
	for i := range io.in {
		io.in[i].hdr.Namelen = unix.SizeofSockaddrInet6
		io.inVec[i].SetLen(largest + 1) // one more, to see what is too large
	}
	if err := io.raw.Read(io.recv); err != nil {
		return 0, net.ErrClosed
	}
	return io.n, io.err
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
	size, ok := writeSockaddr(&io.outAddr[i], to, io.inet6)
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
	io.n = 0
	_ = io.raw.Write(io.snd)
	io.dropped += io.queued - io.n
	for i := range io.n {
		bytes += int(io.out[i].n)
	}
	io.queued = 0
	return io.n, bytes
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
