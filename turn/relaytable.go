package turn

// This file finds the allocation behind a relayed address, so that packets between two of them never leave memory.

import (
	"net/netip"
	"sync/atomic"

	"duet/internal/lock"
)

// relayTable knows the relayed addresses in use.
type relayTable struct {
	epoch atomic.Uint64 // grows with every claim; from 1

	mu     lock.RWMutex[lock.Leaf]        // guards relays
	relays map[netip.AddrPort]*allocation // nil: reserved
}

func newRelayTable() *relayTable {
	t := &relayTable{relays: map[netip.AddrPort]*allocation{}}
	t.epoch.Store(1)
	return t
}

func (t *relayTable) lookup(addr netip.AddrPort) *allocation {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.relays[addr]
}

// assign registers a under an address that is claimed already.
func (t *relayTable) assign(addr netip.AddrPort, a *allocation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.relays[addr] = a
	t.epoch.Add(1)
}

// claim registers a, which may be nil, under addr unless it is taken.
func (t *relayTable) claim(addr netip.AddrPort, a *allocation) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, taken := t.relays[addr]; taken {
		return false
	}
	t.relays[addr] = a
	t.epoch.Add(1)
	return true
}

func (t *relayTable) release(addr netip.AddrPort) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.relays, addr)
}

func (t *relayTable) count() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.relays)
}

// all gives every allocation.
func (t *relayTable) all() []*allocation {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := make([]*allocation, 0, len(t.relays))
	for _, a := range t.relays {
		if a != nil {
			out = append(out, a)
		}
	}
	return out
}

// addresses are those that allocations have relayed addresses on. An allocation that is being made does not know its own yet.
func (t *relayTable) addresses() map[netip.Addr]bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	used := map[netip.Addr]bool{}
	for at := range t.relays {
		used[at.Addr()] = true
	}
	return used
}

// countByTransport counts by transport and family.
func (t *relayTable) countByTransport() map[[2]string]int {
	out := map[[2]string]int{}
	for _, transport := range []string{"udp", "tcp", "tls"} {
		for _, family := range []string{"ipv4", "ipv6"} {
			out[[2]string{transport, family}] = 0
		}
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	for addr, a := range t.relays {
		if a == nil {
			continue
		}
		family := "ipv4"
		if addr.Addr().Is6() {
			family = "ipv6"
		}
		out[[2]string{a.gate.transport.protocol(), family}]++
	}
	return out
}
