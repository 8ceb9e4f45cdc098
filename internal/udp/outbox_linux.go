//go:build !udp_standin

package udp

// This file sends what a loop has gathered: one system call for all (sendmmsg), and datagrams of one size for one receiver
// as one segmented datagram (UDP GSO) where kernel and network card can do that.

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	maxSegments = 64     // the kernel's limit
	maxGSO      = 60_000 // bytes of one segmented datagram
	maxBadGSO   = 8      // refusals that may be a path's fault; with more it is not worth trying
)

// Outbox gathers datagrams. It belongs to one goroutine.
type Outbox struct {
	s      *Socket
	lost   func(error, int)
	to     []*Sockaddr
	own    []Sockaddr // of AddTo
	iovs   []unix.Iovec
	n      int
	gso    bool
	badGSO int

	packets, bytes int // sent since the last Flush

	msgs  []mmsghdr
	first []int // the message's first datagram
	ctrl  [][2]pktinfo
}

// NewOutbox has room for n datagrams. segment allows segmented ones: receivers get the same either way. lost is told of what
// could not be sent, and why: EAGAIN or ENOBUFS if the system took no more.
func NewOutbox(s *Socket, n int, segment bool, lost func(err error, datagrams int)) *Outbox {
	o := &Outbox{
		s: s, lost: lost, to: make([]*Sockaddr, n), own: make([]Sockaddr, n), iovs: make([]unix.Iovec, n),
		msgs: make([]mmsghdr, n), first: make([]int, n), ctrl: make([][2]pktinfo, n),
	}
	o.gso = segment && unix.SetsockoptInt(s.fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT, 0) == nil
	return o
}

// Add queues a datagram; its memory and its Sockaddr stay in use until Flush. One that does not fit lets the others go first.
func (o *Outbox) Add(to *Sockaddr, b []byte) {
	if len(b) == 0 || !to.IsValid() {
		o.lost(unix.EAFNOSUPPORT, 1)
		return
	}
	if o.n == len(o.to) {
		o.send()
	}
	o.to[o.n] = to
	o.iovs[o.n].Base = &b[0]
	o.iovs[o.n].SetLen(len(b))
	o.packets++
	o.bytes += len(b)
	o.n++
}

// AddTo is Add to somebody who gets but this.
func (o *Outbox) AddTo(to netip.AddrPort, b []byte) {
	if o.n == len(o.to) {
		o.send()
	}
	sa := &o.own[o.n]
	sa.set(to, o.s.inet6)
	o.Add(sa, b)
}

// Discard forgets what is queued.
func (o *Outbox) Discard() {
	clear(o.to[:o.n])
	o.n, o.packets, o.bytes = 0, 0, 0
}

// Flush sends what is queued, without waiting: what the socket does not take is lost. It says what went out since last time.
func (o *Outbox) Flush() (packets, bytes int) {
	o.send()
	packets, bytes = o.packets, o.bytes
	o.packets, o.bytes = 0, 0
	return packets, bytes
}

func (o *Outbox) send() {
	if o.n == 0 {
		return
	}
	o.s.mu.RLock()
	defer o.s.mu.RUnlock()
	if o.s.closed {
		o.lose(net.ErrClosed, 0, o.n)
	} else {
		for done := 0; done < o.n; {
			done = o.sendFrom(done)
		}
	}
	clear(o.to[:o.n])
	o.n = 0
}

// lose tells that datagrams at to next did not go out.
func (o *Outbox) lose(err error, at, next int) {
	for i := at; i < next; i++ {
		o.bytes -= int(o.iovs[i].Len)
	}
	o.packets -= next - at
	o.lost(err, next-at)
}

// sendFrom sends the datagrams from number start on, and says how far it has come.
func (o *Outbox) sendFrom(start int) int {
	count := 0
	for at := start; at < o.n; count++ {
		o.first[count] = at
		next := o.run(at)
		o.prepare(count, at, next)
		at = next
	}
	for sent := 0; sent < count; {
		n, err := o.sendmmsg(sent, count)
		if err == nil {
			sent += n
			continue
		}
		at, next := o.first[sent], o.n
		if sent+1 < count {
			next = o.first[sent+1]
		}
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS):
			o.lose(err, at, o.n)
			return o.n
		case next-at > 1 && (errors.Is(err, unix.EIO) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EMSGSIZE)):
			// A card without checksum offload, or a path with a small MTU (EINVAL or EMSGSIZE, depending on the kernel): again
			// as single datagrams, from here on.
			if o.badGSO++; errors.Is(err, unix.EIO) || o.badGSO > maxBadGSO {
				o.gso = false
			}
			return o.singly(at, next)
		default: // this one, to wherever it was
			o.lose(err, at, next)
			sent++
		}
	}
	return o.n
}

func (o *Outbox) sendmmsg(first, next int) (int, error) {
	msgs := o.msgs[first:next]
	return insist(o.s.fd, func() (uintptr, unix.Errno) {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(o.s.fd), uintptr(unsafe.Pointer(&msgs[0])), uintptr(len(msgs)), unix.MSG_DONTWAIT, 0, 0)
		return n, errno
	})
}

// singly sends the parts of a segmented datagram that was refused, one by one.
func (o *Outbox) singly(at, next int) int {
	for i := at; i < next; i++ {
		o.prepare(0, i, i+1)
		if _, err := o.sendmmsg(0, 1); err != nil {
			o.lose(err, i, i+1)
		}
	}
	return next
}

// run finds the end of the datagrams from number at on that may go as a segmented one: for one receiver, of one size, of
// which only the last may be shorter.
func (o *Outbox) run(at int) int {
	next := at + 1
	if !o.gso {
		return next
	}
	size, total := int(o.iovs[at].Len), int(o.iovs[at].Len)
	for next < o.n && next-at < maxSegments && o.to[next] == o.to[at] && int(o.iovs[next-1].Len) == size {
		n := int(o.iovs[next].Len)
		if total += n; n > size || total > maxGSO {
			break
		}
		next++
	}
	return next
}

// prepare makes message number i of the datagrams from at to next.
func (o *Outbox) prepare(i, at, next int) {
	addr, h := o.to[at], &o.msgs[i].hdr
	h.Name, h.Namelen = (*byte)(unsafe.Pointer(&addr.raw)), addr.len
	h.Iov = &o.iovs[at]
	h.SetIovlen(next - at)
	h.Control = (*byte)(unsafe.Pointer(addr.local))
	h.SetControllen(0)
	if addr.local != nil {
		h.SetControllen(addr.local.size())
	}
	if next-at > 1 {
		o.prepareSegments(i, at)
	}
}

// prepareSegments adds to message number i how long its segments are.
func (o *Outbox) prepareSegments(i, at int) {
	addr, h := o.to[at], &o.msgs[i].hdr
	segment := &o.ctrl[i][1]
	segment.hdr.Level, segment.hdr.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	segment.hdr.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(segment.body[:], uint16(o.iovs[at].Len))
	size := unix.CmsgSpace(2)
	if addr.local == nil {
		h.Control = (*byte)(unsafe.Pointer(segment))
	} else { // one behind the other, as closely as the system wants them
		both := (*[2 * pktinfoSize]byte)(unsafe.Pointer(&o.ctrl[i]))
		head := addr.local.size()
		tail := append([]byte(nil), (*[pktinfoSize]byte)(unsafe.Pointer(segment))[:size]...)
		copy(both[:], (*[pktinfoSize]byte)(unsafe.Pointer(addr.local))[:head])
		copy(both[head:], tail)
		h.Control = &both[0]
		size += head
	}
	h.SetControllen(size)
}
