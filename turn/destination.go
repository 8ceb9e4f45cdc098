package turn

// This file remembers what has been found out about the peers that a client sends to, so that it is not looked up for each
// packet.

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// destination is a peer of an allocation. All that it remembers is checked before it is believed.
type destination struct {
	peer   netip.AddrPort
	lent   bool          // see release
	judged atomic.Uint64 // policy's epoch, and the access in the three lowest bits; 0: not yet
	to     atomic.Pointer[allocation]
	back   atomic.Pointer[binding] // the channel of to for packets from here
	missed atomic.Uint64           // the relay table's epoch when there was no allocation at peer
}

var lent = sync.Pool{New: func() any { return new(destination) }}

// release ends the use of a destination.
func (d *destination) release() {
	if !d.lent {
		return
	}
	d.judged.Store(0)
	d.to.Store(nil)
	d.back.Store(nil)
	d.missed.Store(0)
	lent.Put(d)
}

// maxDestinations is for how many peers without a channel things are remembered.
const maxDestinations = 16

// destination is the channel's, if peer has one, or the one remembered. A client that sends to ever new peers gets one that
// is lent: it is to be given back by release.
func (a *allocation) destination(peer netip.AddrPort, now int64) *destination {
	if b := a.channelTo(peer, now); b != nil {
		return &b.destination
	}
	known := a.destinations.Load()
	if known != nil {
		for _, d := range *known {
			if d.peer == peer {
				return d
			}
		}
	}
	if known != nil && len(*known) == maxDestinations && now-a.renewed.Load() < int64(time.Second) {
		d := lent.Get().(*destination)
		d.peer, d.lent = peer, true
		return d
	}
	return a.remember(peer, now)
}

// remember begins to know a peer. When there are too many all are forgotten, so that those in use come back.
func (a *allocation) remember(peer netip.AddrPort, now int64) *destination {
	d := &destination{peer: peer}
	a.mu.Lock()
	defer a.mu.Unlock()
	var next []*destination
	if known := a.destinations.Load(); known != nil && len(*known) < maxDestinations {
		next = append(next, *known...)
	}
	if len(next) == 0 {
		a.renewed.Store(now)
	}
	next = append(next, d)
	a.destinations.Store(&next)
	return d
}

// accessThrough is accessTo for a destination; the part that depends on the address alone is remembered.
func (a *allocation) accessThrough(d *destination) access {
	p := a.gate.server.policy
	epoch := p.epoch.Load()
	judged := d.judged.Load()
	if judged>>3 != epoch {
		v := p.accessTo(d.peer)
		judged = epoch<<3 | uint64(btoi(v.memory)) | uint64(btoi(v.outside))<<1 | uint64(btoi(v.relay))<<2
		d.judged.Store(judged)
	}
	return a.restrictToCall(access{memory: judged&1 != 0, outside: judged&2 != 0, relay: judged&4 != 0}, d.peer.Addr())
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// target is the allocation at a destination, if there is one.
func (s *Server) target(d *destination) *allocation {
	if to := d.to.Load(); to != nil && !to.over.Load() {
		return to
	}
	epoch := s.relays.epoch.Load()
	if d.missed.Load() == epoch {
		return nil
	}
	to := s.relays.lookup(d.peer)
	if to == nil {
		d.missed.Store(epoch)
		return nil
	}
	if to.over.Load() { // on its way out of the table
		return nil
	}
	d.back.Store(nil)
	d.to.Store(to)
	return to
}

// channelBack is the receiver's channel for packets from a, nil if it has none.
func (d *destination) channelBack(a, to *allocation, now int64) *binding {
	b := d.back.Load()
	if b == nil || b.of != to || now >= b.until.Load() || b.peer != a.relay {
		if b = to.channelTo(a.relay, now); b != nil {
			d.back.Store(b)
		}
	}
	return b
}
