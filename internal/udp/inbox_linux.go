//go:build !udp_standin

package udp

// This file takes datagrams in, many with one system call (recvmmsg).

import (
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is the kernel's struct of that name.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// Inbox is a loop's memory for datagrams. It belongs to one goroutine. A datagram stays where it lies until Free.
type Inbox struct {
	headroom int
	size     int // of a buffer
	used     int
	msgs     []mmsghdr
	iovs     []unix.Iovec
	from     []unix.RawSockaddrInet6 // large enough for either family
	told     []controls
	buf      []byte
}

// NewInbox has n buffers of so many bytes, of which the first few are left free, and reads at most limit into each.
func NewInbox(n, size, headroom, limit int) *Inbox {
	in := &Inbox{
		headroom: headroom, size: size, msgs: make([]mmsghdr, n), iovs: make([]unix.Iovec, n),
		from: make([]unix.RawSockaddrInet6, n), told: make([]controls, n), buf: make([]byte, n*size),
	}
	for i := range in.msgs {
		in.iovs[i].Base = &in.buf[i*size+headroom]
		in.iovs[i].SetLen(min(limit, size-headroom))
		h := &in.msgs[i].hdr
		h.Iov, h.Name, h.Control = &in.iovs[i], (*byte)(unsafe.Pointer(&in.from[i])), (*byte)(unsafe.Pointer(&in.told[i]))
		h.SetIovlen(1)
		in.msgs[i].reset()
	}
	return in
}

// reset makes room for a sender's address and for what is told beside, of which a receipt leaves what it has filled.
func (m *mmsghdr) reset() {
	m.hdr.Namelen = unix.SizeofSockaddrInet6
	m.hdr.SetControllen(controlsSize)
}

// Room is how many buffers are free.
func (in *Inbox) Room() int { return len(in.msgs) - in.used }

// Free gives all buffers free.
func (in *Inbox) Free() {
	for i := range in.msgs[:in.used] {
		in.msgs[i].reset()
	}
	in.used = 0
}

// Frame is datagram i behind its free bytes, in memory that it may grow into.
func (in *Inbox) Frame(i int) []byte {
	at := i * in.size
	return in.buf[at : at+in.headroom+int(in.msgs[i].len) : at+in.size]
}

// Packet is datagram i.
func (in *Inbox) Packet(i int) []byte {
	at := i * in.size
	return in.buf[at+in.headroom : at+in.headroom+int(in.msgs[i].len) : at+in.size]
}

// From is who sent datagram i.
func (in *Inbox) From(i int) netip.AddrPort { return addrPort(&in.from[i]) }

// To is the address of this machine that datagram i was sent to, if the socket says so; else it is not valid.
func (in *Inbox) To(i int) netip.Addr { return in.told[i].local(int(in.msgs[i].hdr.Controllen)) }

// Time is when the kernel took datagram i in, in nanoseconds since 1970; 0 if the socket does not say.
func (in *Inbox) Time(i int) int64 { return in.told[i].time(int(in.msgs[i].hdr.Controllen)) }

// Receive takes what is there, at most n datagrams, without waiting: those from number first on.
func (s *Socket) Receive(in *Inbox, n int) (first, count int, err error) {
	first = in.used
	if n = min(n, in.Room()); n == 0 {
		return first, 0, unix.ENOBUFS
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return first, 0, net.ErrClosed
	}
	got, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&in.msgs[first])), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return first, 0, errno
	}
	in.used += int(got)
	return first, int(got), nil
}

// Wait frees the inbox and fills it anew, and waits until there is something: a loop that has one socket does so, and none
// but it. Once it has begun it must end with Leave. The error is net.ErrClosed when the socket was closed.
func (s *Socket) Wait(in *Inbox) (int, error) {
	if !s.waiting { // which nobody else writes
		if err := s.beginWait(); err != nil {
			return 0, err
		}
	}
	in.Free()
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&in.msgs[0])), uintptr(len(in.msgs)), unix.MSG_WAITFORONE, 0, 0)
		switch {
		case s.isClosed():
			return 0, net.ErrClosed
		case errno == 0:
			in.used = int(n)
			return int(n), nil
		case errno != unix.EINTR:
			return 0, errno
		}
	}
}
