package bench

// This file sends and receives datagrams in batches, and stands for many clients with one socket: on loopback every
// address 127.x.y.z is this machine, and the source of a datagram can be chosen for each one.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"duet/internal/udpbuf"
)

const (
	batch      = 64
	packetSize = 1536
	controlLen = 128
)

// mmsghdr is the kernel's struct of that name.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// Socket is a UDP socket with batches. It belongs to one goroutine.
type Socket struct {
	fd      int
	local   netip.AddrPort
	out, in box
	queued  int
	failed  uint64 // datagrams that the kernel refused
	dropped uint32 // datagrams that did not fit into the receive buffer
}

// box is a batch of messages with their memory.
type box struct {
	msgs    [batch]mmsghdr
	iovs    [batch]unix.Iovec
	names   [batch]unix.RawSockaddrInet6 // has room for both families
	control [batch][controlLen]byte
	data    [batch][packetSize]byte
}

func (b *box) init() {
	for i := range b.msgs {
		b.iovs[i].Base = &b.data[i][0]
		b.iovs[i].SetLen(packetSize)
		b.msgs[i].hdr.Iov = &b.iovs[i]
		b.msgs[i].hdr.SetIovlen(1)
		b.msgs[i].hdr.Name = (*byte)(unsafe.Pointer(&b.names[i]))
	}
}

// ListenUDP opens a socket on local; port 0 lets the system choose.
func ListenUDP(local netip.AddrPort) (*Socket, error) {
	family := unix.AF_INET
	var sa unix.Sockaddr
	if local.Addr().Is4() {
		sa = &unix.SockaddrInet4{Addr: local.Addr().As4(), Port: int(local.Port())}
	} else {
		family = unix.AF_INET6
		sa = &unix.SockaddrInet6{Addr: local.Addr().As16(), Port: int(local.Port())}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("udp socket: %w", err)
	}
	s := &Socket{fd: fd}
	if err := unix.Bind(fd, sa); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind udp %s: %w", local, err)
	}
	if family == unix.AF_INET {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
	err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1))
	udpbuf.SetFD(fd, 16<<20, 16<<20)
	name, nameErr := unix.Getsockname(fd)
	if err = errors.Join(err, nameErr); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("udp socket: %w", err)
	}
	switch n := name.(type) {
	case *unix.SockaddrInet4:
		s.local = netip.AddrPortFrom(netip.AddrFrom4(n.Addr), uint16(n.Port))
	case *unix.SockaddrInet6:
		s.local = netip.AddrPortFrom(netip.AddrFrom16(n.Addr), uint16(n.Port))
	}
	s.out.init()
	s.in.init()
	for i := range s.in.msgs {
		s.in.msgs[i].hdr.Control = &s.in.control[i][0]
	}
	return s, nil
}

// Close closes the socket.
func (s *Socket) Close() { unix.Close(s.fd) }

// Local is the address it is bound to.
func (s *Socket) Local() netip.AddrPort { return s.local }

// Lost is how many datagrams this side lost: refused when sending, or fallen out of the receive buffer.
func (s *Socket) Lost() uint64 { return s.failed + uint64(s.dropped) }

// Route is where a datagram goes and, if From is valid, which address it comes from; made once, used for every packet.
type Route struct {
	name       unix.RawSockaddrInet6
	nameLen    uint32
	control    [32]byte
	controlLen int
}

// NewRoute prepares sending to to; from may be the zero Addr.
func NewRoute(from netip.Addr, to netip.AddrPort) Route {
	var r Route
	port := to.Port()<<8 | to.Port()>>8
	if to.Addr().Is4() {
		r.nameLen = unix.SizeofSockaddrInet4
		*(*unix.RawSockaddrInet4)(unsafe.Pointer(&r.name)) = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: port, Addr: to.Addr().As4()}
	} else {
		r.nameLen = unix.SizeofSockaddrInet6
		r.name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: port, Addr: to.Addr().As16()}
	}
	if from.Is4() {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&r.control[0]))
		h.Level, h.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
		h.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
		info := (*unix.Inet4Pktinfo)(unsafe.Pointer(&r.control[unix.CmsgLen(0)]))
		info.Spec_dst = from.As4()
		r.controlLen = unix.CmsgSpace(unix.SizeofInet4Pktinfo)
	}
	return r
}

// Queue gives out the memory of the next datagram, n bytes to be filled at once; it leaves with Flush or with the batch.
func (s *Socket) Queue(r *Route, n int) []byte {
	if s.queued == batch {
		s.Flush()
	}
	i := s.queued
	s.queued++
	h := &s.out.msgs[i].hdr
	s.out.names[i] = r.name
	h.Namelen = r.nameLen
	h.Control = nil
	if r.controlLen > 0 {
		copy(s.out.control[i][:], r.control[:])
		h.Control = &s.out.control[i][0]
	}
	h.SetControllen(r.controlLen)
	s.out.iovs[i].SetLen(n)
	return s.out.data[i][:n]
}

// Flush sends what is queued. What the kernel refuses is counted and left out.
func (s *Socket) Flush() {
	for sent := 0; sent < s.queued; {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.out.msgs[sent])), uintptr(s.queued-sent), 0, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			s.failed++
			sent++
		default:
			sent += int(n)
		}
	}
	s.queued = 0
}

// Packet is a received datagram; Data is valid until the callback returns.
type Packet struct {
	Data []byte
	From netip.AddrPort
	To   netip.Addr // the address it was sent to; IPv4 only
	At   int64      // when the kernel took it in, in nanoseconds since 1970
}

// Receive calls each for every datagram that is there, and returns how many there were. It does not wait.
func (s *Socket) Receive(each func(p *Packet)) (int, error) {
	total := 0
	for {
		for i := range s.in.msgs {
			s.in.msgs[i].hdr.Namelen = unix.SizeofSockaddrInet6
			s.in.msgs[i].hdr.SetControllen(controlLen)
		}
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.in.msgs[0])), batch, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
		case unix.EAGAIN:
			return total, nil
		case unix.EINTR, unix.ECONNREFUSED: // the latter is an ICMP answer to what was sent
			continue
		default:
			return total, os.NewSyscallError("recvmmsg", errno)
		}
		var p Packet
		for i := range int(n) {
			p.Data = s.in.data[i][:s.in.msgs[i].n]
			p.From = addrPort(&s.in.names[i])
			s.control(&p, s.in.control[i][:s.in.msgs[i].hdr.Controllen])
			each(&p)
		}
		if total += int(n); n < batch {
			return total, nil
		}
	}
}

// control reads the address, the time and the count of lost datagrams that the kernel put beside a datagram.
func (s *Socket) control(p *Packet, b []byte) {
	p.To, p.At = netip.Addr{}, 0
	for len(b) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		body, space := unix.CmsgLen(0), unix.CmsgSpace(int(h.Len)-unix.CmsgLen(0))
		if int(h.Len) < body || int(h.Len) > len(b) {
			break
		}
		data := b[body:h.Len]
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			p.To = netip.AddrFrom4([4]byte(data[8:12]))
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SO_TIMESTAMPNS && len(data) >= 16:
			p.At = int64(binary.NativeEndian.Uint64(data))*1e9 + int64(binary.NativeEndian.Uint64(data[8:]))
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SO_RXQ_OVFL && len(data) >= 4:
			s.dropped = binary.NativeEndian.Uint32(data)
		}
		b = b[min(space, len(b)):]
	}
	if p.At == 0 {
		p.At = time.Now().UnixNano()
	}
}

func addrPort(name *unix.RawSockaddrInet6) netip.AddrPort {
	port := name.Port<<8 | name.Port>>8
	if name.Family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(name)).Addr), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(name.Addr), port)
}

// WaitReadable waits until one of the sockets has something, at most as long as timeout.
func WaitReadable(timeout time.Duration, sockets ...*Socket) {
	fds := make([]unix.PollFd, len(sockets))
	for i, s := range sockets {
		fds[i] = unix.PollFd{Fd: int32(s.fd), Events: unix.POLLIN}
	}
	ts := unix.NsecToTimespec(int64(timeout))
	_, _ = unix.Ppoll(fds, &ts, nil) // interrupted or not, the caller looks
}

// SleepUntil sleeps on this thread until t, much closer to it than the runtime's timers come.
func SleepUntil(t time.Time) {
	if d := time.Until(t); d > 0 {
		ts := unix.NsecToTimespec(int64(d))
		_ = unix.Nanosleep(&ts, nil) // waking early is harmless
	}
}

// SharpenTimers lets this thread's sleeps end within microseconds; the default slack is 50.
func SharpenTimers() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) }
