// Package peraddr counts what one customer has, so that it can be bounded. An IPv4 address is one customer. In IPv6 who has
// one address has a /64, and providers hand out whole /56 and /48 (RFC 6177), so that an address counts for all three: a /56
// may have 4 and a /48 16 times what a /64 may. Its types are [Network], [Key], [Counter] and [Places]; it starts no
// goroutine and has no lock: Counter and Places are guarded by their owner's.
package peraddr

import (
	"encoding/binary"
	"net/netip"
)

// Key names a customer's network in a map: small, comparable and without pointers.
type Key struct {
	net  uint64 // the first 64 bits, or an IPv4 address
	bits uint8
}

// Network is a network that an address lies in, and how many times the share of the smallest it has.
type Network struct {
	Key   Key
	Share int
}

// Of is the smallest network of an address: itself for IPv4, its /64 for IPv6. IPv4 may be mapped into IPv6; zones do not
// count.
func Of(ip netip.Addr) Key {
	if ip = ip.Unmap(); ip.Is4() {
		b := ip.As4()
		return Key{uint64(binary.BigEndian.Uint32(b[:])), 32}
	}
	if !ip.IsValid() {
		return Key{}
	}
	b := ip.As16()
	return Key{binary.BigEndian.Uint64(b[:]), 64}
}

// Networks are the n networks that an address counts for, the smallest first.
func Networks(ip netip.Addr) (all [3]Network, n int) {
	k := Of(ip)
	all[0] = Network{k, 1}
	if k.bits != 64 {
		return all, 1
	}
	all[1] = Network{Key{k.net &^ 0xff, 56}, 4}
	all[2] = Network{Key{k.net &^ 0xffff, 48}, 16}
	return all, 3
}

// Counter counts by network. The zero value is ready.
type Counter struct{ counts map[Key]int }

// Fits says whether one more from ip leaves each of its networks within its share of most; most 0 is no bound.
func (c *Counter) Fits(ip netip.Addr, most int) bool {
	if most <= 0 {
		return true
	}
	all, n := Networks(ip)
	for _, in := range all[:n] {
		if c.counts[in.Key] >= most*in.Share {
			return false
		}
	}
	return true
}

// Add counts one more from ip, to be taken back by Remove.
func (c *Counter) Add(ip netip.Addr) {
	if c.counts == nil {
		c.counts = map[Key]int{}
	}
	all, n := Networks(ip)
	for _, in := range all[:n] {
		c.counts[in.Key]++
	}
}

// Enter is Add where it Fits, and says whether it did.
func (c *Counter) Enter(ip netip.Addr, most int) bool {
	if !c.Fits(ip, most) {
		return false
	}
	c.Add(ip)
	return true
}

// Remove takes one Add back. What has nothing left is forgotten.
func (c *Counter) Remove(ip netip.Addr) {
	all, n := Networks(ip)
	for _, in := range all[:n] {
		if c.counts[in.Key]--; c.counts[in.Key] <= 0 {
			delete(c.counts, in.Key)
		}
	}
}

// Count is how many there are from the smallest network of ip.
func (c *Counter) Count(ip netip.Addr) int { return c.counts[Of(ip)] }

// Len is how many networks are remembered.
func (c *Counter) Len() int { return len(c.counts) }
