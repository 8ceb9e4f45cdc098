package turn

// This file finds the allocation behind a relayed address, so that packets between two of them never leave memory.

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// maxPacket is the largest payload that is relayed. One that is larger is dropped and counted, never cut.
const maxPacket = 1500

// packet is a datagram on its way to the front, or a buffer to make one in.
type packet struct {
	from netip.AddrPort
	to   netip.Addr // see route
	n    int
	buf  [maxFrame + 1]byte
}

var packets = sync.Pool{New: func() any { return new(packet) }}

// fabric knows the relayed addresses in use.
type fabric struct {
	epoch atomic.Uint64 // grows with every claim; from 1

	mu     sync.RWMutex                   // a leaf; guards relays
	relays map[netip.AddrPort]*allocation // nil: reserved
}

func newFabric() *fabric {
	f := &fabric{relays: map[netip.AddrPort]*allocation{}}
	f.epoch.Store(1)
	return f
}

func (f *fabric) lookup(addr netip.AddrPort) *allocation {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.relays[addr]
}

// assign registers a under an address that is claimed already.
func (f *fabric) assign(addr netip.AddrPort, a *allocation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.relays[addr] = a
	f.epoch.Add(1)
}

// claim registers a, which may be nil, under addr unless it is taken.
func (f *fabric) claim(addr netip.AddrPort, a *allocation) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, taken := f.relays[addr]; taken {
		return false
	}
	f.relays[addr] = a
	f.epoch.Add(1)
	return true
}

func (f *fabric) release(addr netip.AddrPort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.relays, addr)
}

func (f *fabric) count() int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return len(f.relays)
}

// each calls do for every allocation; do must not take a lock that is held while asking here.
func (f *fabric) each(do func(*allocation)) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, a := range f.relays {
		if a != nil {
			do(a)
		}
	}
}

// census counts by transport and family.
func (f *fabric) census() map[[2]string]int {
	out := map[[2]string]int{}
	for _, transport := range []string{"udp", "tcp", "tls"} {
		for _, family := range []string{"ipv4", "ipv6"} {
			out[[2]string{transport, family}] = 0
		}
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	for addr, a := range f.relays {
		if a == nil {
			continue
		}
		family := "ipv4"
		if addr.Addr().Is6() {
			family = "ipv6"
		}
		out[[2]string{a.front.link.transport(), family}]++
	}
	return out
}
