package turn

// This file keeps the server from being a reflector: strangers are answered only so often for each source address.

import (
	"hash/maphash"
	"net/netip"
	"time"

	"duet/internal/lock"
	"duet/internal/peraddr"
)

// budget counts answers to unauthenticated datagrams in windows of one second that begin with the first of them.
// It is a table of fixed size: an address that shares its slot with another takes it over, so a flood from many
// addresses costs no memory and starves nobody.
type budget struct {
	perIP int
	seed  maphash.Seed

	mu    lock.Mutex[lock.Leaf] // guards slots
	slots []budgetSlot
}

type budgetSlot struct {
	of    peraddr.Key
	since time.Time
	spent int
}

const budgetSlots = 1 << 12 // for each size of network

func newBudget(perIP int) *budget {
	return &budget{perIP: perIP, seed: maphash.MakeSeed(), slots: make([]budgetSlot, 3*budgetSlots)}
}

// spend says whether addr may be answered once more.
func (b *budget) spend(addr netip.Addr, now time.Time) bool {
	networks, n := peraddr.Networks(addr)
	b.mu.Lock()
	defer b.mu.Unlock()
	var slots [len(networks)]*budgetSlot
	for i, in := range networks[:n] {
		s := &b.slots[uint64(i)*budgetSlots+maphash.Comparable(b.seed, in.Key)%budgetSlots]
		if s.of != in.Key || now.Sub(s.since) >= time.Second {
			*s = budgetSlot{of: in.Key, since: now}
		}
		if s.spent >= b.perIP*in.Share {
			return false
		}
		slots[i] = s
	}
	for _, s := range slots[:n] {
		s.spent++
	}
	return true
}
