package turn

// This file sends what a loop has gathered: one system call for all, and frames of one size for one client as one
// segmented datagram (UDP GSO) where kernel and network card can do that.

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	maxSegments = 64     // the kernel's limit
	maxGSO      = 60_000 // bytes of one segmented datagram
	maxBadGSO   = 8      // refusals that may be a path's fault; with more it is not worth trying
)

// outbox gathers frames for clients; it is a loop's own.
type outbox struct {
	fd     int
	stats  *stats
	to     [arena]*allocation
	iovs   [arena]unix.Iovec
	n      int
	gso    bool
	badGSO int

	msgs  [arena]mmsghdr
	first [arena]int // the message's first frame
	ctrl  [arena]struct {
		address control
		segment control
	}
}

func newOutbox(fd int, s *stats) *outbox {
	return &outbox{fd: fd, stats: s, gso: unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT, 0) == nil}
}

// add queues a frame. There is room: a loop has as many places here as it has buffers.
func (o *outbox) add(to *allocation, frame []byte) {
	o.to[o.n] = to
	o.iovs[o.n].Base = &frame[0]
	o.iovs[o.n].SetLen(len(frame))
	o.n++
}

// flush sends what is queued. It does not wait: what the socket does not take is lost.
func (o *outbox) flush() {
	for done := 0; done < o.n; {
		done = o.send(done)
	}
	clear(o.to[:o.n])
	o.n = 0
}

// send sends the frames from number start on, and says how far it has come.
func (o *outbox) send(start int) int {
	count := 0
	for at := start; at < o.n; count++ {
		o.first[count] = at
		next := o.run(at)
		o.prepare(count, at, next)
		at = next
	}
	for sent := 0; sent < count; {
		n, err := sendmmsg(o.fd, o.msgs[sent:count])
		segments := 1
		if err == nil {
			sent += n
			continue
		}
		if sent+1 < count {
			segments = o.first[sent+1] - o.first[sent]
		} else {
			segments = o.n - o.first[sent]
		}
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS):
			for range o.n - o.first[sent] {
				o.stats.drop(dropQueueFull)
			}
			return o.n
		case segments > 1 && (errors.Is(err, unix.EIO) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EMSGSIZE)):
			// A card without checksum offload, or a path with a small MTU (EINVAL or EMSGSIZE, depending on the kernel): again
			// as single datagrams, from here on.
			if o.badGSO++; errors.Is(err, unix.EIO) || o.badGSO > maxBadGSO {
				o.gso = false
			}
			return o.singly(o.first[sent], segments)
		default: // this one, to wherever it was
			o.stats.drop(dropUnreachable)
			sent++
		}
	}
	return o.n
}

// singly sends the frames of a segmented datagram that was refused, one by one.
func (o *outbox) singly(start, count int) int {
	for i := start; i < start+count; i++ {
		o.prepare(0, i, i+1)
		if _, err := sendmmsg(o.fd, o.msgs[:1]); err != nil {
			o.stats.lose(err)
		}
	}
	return start + count
}

// run finds the end of the frames from number at on that may go as one segmented datagram: for one client, of one size,
// of which only the last may be shorter.
func (o *outbox) run(at int) int {
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

// prepare makes message number i of the frames from at to next.
func (o *outbox) prepare(i, at, next int) {
	addr, h := &o.to[at].sockaddr, &o.msgs[i].hdr
	h.Name, h.Namelen = (*byte)(unsafe.Pointer(&addr.raw)), addr.len
	h.Iov = &o.iovs[at]
	h.SetIovlen(next - at)
	h.Control = (*byte)(unsafe.Pointer(addr.control))
	h.SetControllen(0)
	if addr.control != nil {
		h.SetControllen(addr.control.size())
	}
	if next-at == 1 {
		return
	}
	segment := &o.ctrl[i].segment
	segment.hdr.Level, segment.hdr.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	segment.hdr.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(segment.buf[:], uint16(o.iovs[at].Len))
	size := unix.CmsgSpace(2)
	if addr.control == nil {
		h.Control = (*byte)(unsafe.Pointer(segment))
	} else { // one behind the other, as closely as the system wants them
		both := (*[2 * controlSize]byte)(unsafe.Pointer(&o.ctrl[i]))
		head := addr.control.size()
		tail := append([]byte(nil), (*[controlSize]byte)(unsafe.Pointer(segment))[:size]...)
		copy(both[:], (*[controlSize]byte)(unsafe.Pointer(addr.control))[:head])
		copy(both[head:], tail)
		h.Control = &both[0]
		size += head
	}
	h.SetControllen(size)
}
