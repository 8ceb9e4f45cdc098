package turn

// This file is channels (RFC 8656 section 12): numbers that stand for peers. A binding is made when the authority has
// granted it, and lives no longer than the authority's own: until its time, or its allocation's end. A little grace is in that
// time, for clients that ask again at the last moment and have lost a packet then.

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// binding is one channel of one allocation.
type binding struct {
	number uint16
	of     *allocation
	destination
	until atomic.Int64 // on the server's clock
}

func (g *gate) judgeChannelBind() int {
	r, limits := &g.req, &g.server.limits
	if len(r.peers) != 1 || !r.carries(hasChannel) || !validChannel(r.channel) || r.peers[0].Port() == 0 {
		return codeBadRequest
	}
	if code := g.judgePeers(); code != 0 {
		return code
	}
	switch ok, fits := r.allocation.bindable(r.channel, r.peers[0], limits.channels, r.now); {
	case !ok:
		return codeBadRequest
	case !fits:
		return codeCapacity
	}
	return 0
}

// bind notes a channel that has been bound, or bound again.
func (a *allocation) bind(number uint16, peer netip.AddrPort, now time.Time) {
	a.permit([]netip.AddrPort{peer}, now)
	clock := a.gate.server.clockAt(now)
	limits := &a.gate.server.limits
	until := clock + int64(limits.channelLifetime+limits.grace)
	a.mu.Lock()
	defer a.mu.Unlock()
	var kept []*binding
	for _, b := range *a.bindings.Load() {
		if b.number == number && b.peer == peer && clock < b.until.Load() {
			b.until.Store(until)
			return
		}
		if clock < b.until.Load() {
			kept = append(kept, b)
		}
	}
	b := &binding{number: number, of: a}
	b.peer = peer
	b.until.Store(until)
	kept = append(kept, b)
	a.bindings.Store(&kept)
}

// bindable says whether number may be bound to peer, and whether there is room for it.
func (a *allocation) bindable(number uint16, peer netip.AddrPort, limit int, now time.Time) (ok, fits bool) {
	clock, live, known := a.gate.server.clockAt(now), 0, false
	for _, b := range *a.bindings.Load() {
		if clock >= b.until.Load() {
			continue
		}
		if (b.number == number) != (b.peer == peer) {
			return false, true
		}
		known = known || b.number == number
		live++
	}
	return true, known || live < limit
}

// channel finds the live binding of a number.
func (a *allocation) channel(number uint16, now int64) *binding {
	for _, b := range *a.bindings.Load() {
		if b.number == number {
			if now < b.until.Load() {
				return b
			}
			return nil
		}
	}
	return nil
}

// channelTo finds the live binding to a peer.
func (a *allocation) channelTo(peer netip.AddrPort, now int64) *binding {
	for _, b := range *a.bindings.Load() {
		if b.peer == peer && now < b.until.Load() {
			return b
		}
	}
	return nil
}
