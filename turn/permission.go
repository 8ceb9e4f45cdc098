package turn

// This file is permissions (RFC 8656 sections 9 and 10): which addresses a client wants to hear from and may reach.

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

const permissionLifetime = 5 * time.Minute // the library's

type permission struct {
	peer  netip.Addr
	until atomic.Int64 // on the server's clock
}

func (g *gate) judgeCreatePermission() int {
	r := &g.req
	if len(r.peers) == 0 {
		return codeBadRequest
	}
	for i, p := range r.peers {
		r.peers[i] = netip.AddrPortFrom(p.Addr(), 0) // permissions are for addresses
	}
	return g.judgePeers()
}

// judgePeers judges the peers of a CreatePermission or ChannelBind request: all or none.
func (g *gate) judgePeers() int {
	r, a := &g.req, g.req.allocation
	outside := false
	for _, p := range r.peers {
		may := a.accessTo(p)
		switch {
		case p.Addr().Is4In6() || p.Addr().Is4() != a.relay.Addr().Is4():
			return codePeerFamily
		case !may.any(), p.Port() != 0 && !a.mayBind(p):
			g.server.sayClosed(a, p, r.now)
			return codeForbidden
		}
		outside = outside || may.outside
	}
	if !a.permissionsFit(r.peers, g.server.limits.permissions, r.now) {
		return codeCapacity
	}
	if outside {
		if err := a.openSocket(); err != nil {
			return codeCapacity
		}
	}
	return 0
}

// mayReach says whether the current request's client may reach an address at all.
func (g *gate) mayReach(peer netip.Addr) bool {
	a := g.req.allocation
	return a != nil && a.accessTo(netip.AddrPortFrom(peer, 0)).any()
}

// permitted says whether the client has a permission for peer.
func (a *allocation) permitted(peer netip.Addr, now int64) bool {
	for _, p := range *a.permissions.Load() {
		if p.peer == peer {
			return now < p.until.Load()
		}
	}
	return false
}

// permit notes what has been granted, and forgets what has run out.
func (a *allocation) permit(peers []netip.AddrPort, now time.Time) {
	s := a.gate.server
	clock := s.clockAt(now)
	until := clock + int64(permissionLifetime+s.limits.grace)
	a.mu.Lock()
	defer a.mu.Unlock()
	kept := a.livePermissions(clock)
	for _, p := range peers {
		peer := canonical(p.Addr())
		i := slices.IndexFunc(kept, func(p *permission) bool { return p.peer == peer })
		if i < 0 {
			i = len(kept)
			kept = append(kept, &permission{peer: peer})
		}
		kept[i].until.Store(until)
	}
	a.permissions.Store(&kept)
}

func (a *allocation) livePermissions(clock int64) []*permission {
	var live []*permission
	for _, p := range *a.permissions.Load() {
		if clock < p.until.Load() {
			live = append(live, p)
		}
	}
	return live
}

// permissionsFit says whether there is room for these peers under limit.
func (a *allocation) permissionsFit(peers []netip.AddrPort, limit int, now time.Time) bool {
	all := make([]netip.Addr, 0, 8)
	for _, p := range a.livePermissions(a.gate.server.clockAt(now)) {
		all = append(all, p.peer)
	}
	for _, p := range peers {
		if peer := canonical(p.Addr()); !slices.Contains(all, peer) {
			all = append(all, peer)
		}
	}
	return len(all) <= limit
}
