package turn

// This file keeps the server from being a reflector: strangers are answered only so often for each source address.

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// budget counts answers to unauthenticated datagrams in windows of one second that begin with the first of them.
// It is a table of fixed size: an address that shares its slot with another takes it over, so a flood from many
// addresses costs no memory and starves nobody.
type budget struct {
	perIP int
	seed  maphash.Seed

	mu    sync.Mutex // a leaf; guards slots
	slots []budgetSlot
}

type budgetSlot struct {
	addr  netip.Addr
	since time.Time
	spent int
}

const budgetSlots = 1 << 12

func newBudget(perIP int) *budget {
	return &budget{perIP: perIP, seed: maphash.MakeSeed(), slots: make([]budgetSlot, budgetSlots)}
}

// spend says whether addr may be answered once more. An IPv6 host has its /64, so that is what counts.
func (b *budget) spend(addr netip.Addr, now time.Time) bool {
	addr = network(addr)
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &b.slots[maphash.Comparable(b.seed, addr)%budgetSlots]
	if s.addr != addr || now.Sub(s.since) >= time.Second {
		*s = budgetSlot{addr: addr, since: now}
	}
	if s.spent >= b.perIP {
		return false
	}
	s.spent++
	return true
}

// network is what one customer usually has: an IPv4 address or an IPv6 /64.
func network(addr netip.Addr) netip.Addr {
	addr = addr.Unmap()
	if addr.Is6() {
		p, _ := addr.Prefix(64)
		return p.Addr()
	}
	return addr
}
