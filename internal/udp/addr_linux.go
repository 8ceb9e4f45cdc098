//go:build !udp_standin

package udp

// This file spells addresses, and what is told of a datagram beside it, as the kernel wants them.

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sockaddr is where a datagram goes and, if that was said, which address of this machine it comes from. It is made once and
// used for many.
type Sockaddr struct {
	raw   unix.RawSockaddrInet6 // or IPv4 in its first 16 bytes
	len   uint32                // 0: not valid
	local *pktinfo              // nil: the system chooses
}

// pktinfo is a control message, IP_PKTINFO or IPV6_PKTINFO, or another small one.
type pktinfo struct {
	hdr  unix.Cmsghdr
	body [unix.SizeofInet6Pktinfo + 4]byte
}

const pktinfoSize = int(unsafe.Sizeof(pktinfo{}))

// NewSockaddr spells an address for a socket of the family; IPv6 sockets take IPv4 as mapped addresses. from may be the zero
// Addr. What the family cannot reach is not valid.
func NewSockaddr(to netip.AddrPort, from netip.Addr, inet6 bool) (s Sockaddr) {
	if s.set(to, inet6); s.len == 0 || !from.IsValid() {
		return s
	}
	c := new(pktinfo)
	if inet6 {
		c.hdr.Level, c.hdr.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
		c.hdr.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
		v6 := from.As16()
		copy(c.body[:], v6[:])
	} else if from = from.Unmap(); from.Is4() {
		c.hdr.Level, c.hdr.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
		c.hdr.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
		v4 := from.As4()
		copy(c.body[4:], v4[:]) // ipi_spec_dst
	} else {
		return Sockaddr{}
	}
	s.local = c
	return s
}

// IsValid says whether it can be sent to.
func (s *Sockaddr) IsValid() bool { return s.len > 0 }

// set spells an address without a local one.
func (s *Sockaddr) set(to netip.AddrPort, inet6 bool) {
	s.len, s.local = 0, nil
	if !to.IsValid() {
		return
	}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&s.raw.Port))[:], to.Port())
	if inet6 {
		s.raw.Family, s.raw.Addr = unix.AF_INET6, to.Addr().As16()
		s.len = unix.SizeofSockaddrInet6
		return
	}
	if ip := to.Addr().Unmap(); ip.Is4() {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.raw))
		v4.Family, v4.Addr = unix.AF_INET, ip.As4()
		s.len = unix.SizeofSockaddrInet4
	}
}

// size is what the system wants to know of a control message.
func (c *pktinfo) size() int {
	if c.hdr.Level == unix.IPPROTO_IP {
		return unix.CmsgSpace(unix.SizeofInet4Pktinfo)
	}
	return unix.CmsgSpace(unix.SizeofInet6Pktinfo)
}

// addrPort reads what the system has written.
func addrPort(raw *unix.RawSockaddrInet6) netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&raw.Port))[:])
	switch raw.Family {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(raw)).Addr), port)
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(raw.Addr).Unmap(), port)
	}
	return netip.AddrPort{}
}

// controls are the control messages of one datagram: room for an address and a time.
type controls [9]uint64

const controlsSize = int(unsafe.Sizeof(controls{}))

// find is the body of the control message of a kind, or nil; n is what the system has written.
func (c *controls) find(level, kind int32, n int) []byte {
	b := (*[controlsSize]byte)(unsafe.Pointer(c))[:min(n, controlsSize)]
	for len(b) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		size := int(h.Len)
		if size < unix.CmsgLen(0) || size > len(b) {
			return nil
		}
		if h.Level == level && h.Type == kind {
			return b[unix.CmsgLen(0):size]
		}
		b = b[min(unix.CmsgSpace(size-unix.CmsgLen(0)), len(b)):]
	}
	return nil
}

// local reads the address that a datagram was sent to; not valid if it was not told.
func (c *controls) local(n int) netip.Addr {
	if n == 0 {
		return netip.Addr{}
	}
	if b := c.find(unix.IPPROTO_IP, unix.IP_PKTINFO, n); len(b) >= unix.SizeofInet4Pktinfo {
		return netip.AddrFrom4([4]byte(b[8:12])) // ipi_addr
	}
	if b := c.find(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, n); len(b) >= unix.SizeofInet6Pktinfo {
		return netip.AddrFrom16([16]byte(b[:16])).Unmap()
	}
	return netip.Addr{}
}

// time reads when a datagram was taken in, in nanoseconds since 1970; 0 if it was not told.
func (c *controls) time(n int) int64 {
	b := c.find(unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, n)
	if len(b) < 16 {
		return 0
	}
	return int64(binary.NativeEndian.Uint64(b))*1e9 + int64(binary.NativeEndian.Uint64(b[8:]))
}
