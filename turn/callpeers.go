package turn

// This file knows which of our own users are in a call with whom, and which addresses the other member has: nothing else may
// be reached through their allocations when permissions are "call". What a member says of itself is believed where the server
// has seen it too, and in a small number else.

import (
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"duet/internal/lock"
)

const (
	// maxCandidates bounds the addresses of one member in one call; browsers have a dozen.
	maxCandidates = 64
	// maxSeen is how many networks a member is known by at a time.
	maxSeen = 16
	// maxForeign is in how many networks one member may name addresses within foreignTime where the server has not seen it
	// itself: whoever is on both ends of a call would reach the whole Internet by naming it.
	maxForeign  = 8
	foreignTime = time.Hour
)

// callPeers is told by signaling; see CallStarted, Candidate, Seen and CallEnded.
type callPeers struct {
	mu    lock.Mutex[lock.Leaf] // guards all that is not atomic
	users map[string]*member
	calls map[string][2]*member
}

// member is one user of ours while it has an allocation or a call, or has lately named foreign addresses. Packets read it
// without a lock.
type member struct {
	id      string
	refs    int
	seen    []netip.Prefix             // where the server itself has seen this user, the latest last
	foreign map[netip.Prefix]time.Time // other networks of which it has named addresses, and until when they count
	named   []netip.Addr               // in the current call
	now     atomic.Pointer[membership] // nil: in no call
}

// membership is a member's side of a call; never changed, only replaced.
type membership struct {
	call  string
	peer  *member
	addrs map[netip.Addr]bool // of this member, that the other one may reach
}

func newCallPeers() *callPeers {
	return &callPeers{users: map[string]*member{}, calls: map[string][2]*member{}}
}

// hold finds or makes the member of a user who has been seen at an address, until release.
func (p *callPeers) hold(user string, from netip.Addr) *member {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.holdLocked(user)
	u.saw(from)
	return u
}

func (p *callPeers) holdLocked(user string) *member {
	u := p.users[user]
	if u == nil {
		u = &member{id: user}
		p.users[user] = u
	}
	u.refs++
	return u
}

func (p *callPeers) release(u *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.releaseLocked(u)
}

func (p *callPeers) releaseLocked(u *member) {
	if u.refs--; u.refs == 0 && len(u.foreign) == 0 {
		delete(p.users, u.id)
	}
}

// forget drops what was named so long ago that it does not count any more.
func (p *callPeers) forget(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, u := range p.users {
		maps.DeleteFunc(u.foreign, func(_ netip.Prefix, until time.Time) bool { return !now.Before(until) })
		if u.refs == 0 && len(u.foreign) == 0 {
			delete(p.users, id)
		}
	}
}

func (p *callPeers) started(call, userA, userB string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endedLocked(call)
	a, b := p.holdLocked(userA), p.holdLocked(userB)
	p.calls[call] = [2]*member{a, b}
	a.now.Store(&membership{call: call, peer: b})
	b.now.Store(&membership{call: call, peer: a})
	a.named, b.named = nil, nil
}

// candidate opens an address that user says it has, if it may name one more.
func (p *callPeers) candidate(call, user string, addr netip.Addr, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.inCall(call, user)
	if u == nil || slices.Contains(u.named, addr) || len(u.named) >= maxCandidates {
		return
	}
	u.named = append(u.named, addr)
	if u.isAt(addr) || u.mayName(addr, now) {
		u.open(addr)
	}
}

// connected opens the address that user's connection comes from.
func (p *callPeers) connected(call, user string, addr netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u := p.inCall(call, user); u != nil {
		u.saw(addr)
		u.open(addr)
	}
}

func (p *callPeers) inCall(call, user string) *member {
	for _, u := range p.calls[call] {
		if u != nil && u.id == user {
			if now := u.now.Load(); now != nil && now.call == call {
				return u
			}
		}
	}
	return nil
}

// saw notes where the server has seen u, and opens what u has named there.
func (u *member) saw(addr netip.Addr) {
	network := networkOf(addr)
	u.seen = slices.DeleteFunc(u.seen, func(p netip.Prefix) bool { return p == network })
	if len(u.seen) == maxSeen {
		u.seen = slices.Delete(u.seen, 0, 1)
	}
	u.seen = append(u.seen, network)
	delete(u.foreign, network)
	for _, a := range u.named {
		if network.Contains(a) {
			u.open(a)
		}
	}
}

// networkOf is what one customer has at least: an IPv4 address, or a /64.
func networkOf(addr netip.Addr) netip.Prefix {
	network, _ := addr.Prefix(min(64, addr.BitLen()))
	return network
}

// isAt says whether the server has seen u at addr, or beside it in its network.
func (u *member) isAt(addr netip.Addr) bool {
	return slices.Contains(u.seen, networkOf(addr))
}

// mayName says whether u may name a foreign address. One that it has named before costs nothing.
func (u *member) mayName(addr netip.Addr, now time.Time) bool {
	maps.DeleteFunc(u.foreign, func(_ netip.Prefix, until time.Time) bool { return !now.Before(until) })
	network := networkOf(addr)
	if _, known := u.foreign[network]; !known && len(u.foreign) >= maxForeign {
		return false
	}
	if u.foreign == nil {
		u.foreign = map[netip.Prefix]time.Time{}
	}
	u.foreign[network] = now.Add(foreignTime)
	return true
}

// open lets the other member of u's call reach addr.
func (u *member) open(addr netip.Addr) {
	now := u.now.Load()
	if now == nil || now.addrs[addr] {
		return
	}
	next := &membership{call: now.call, peer: now.peer, addrs: map[netip.Addr]bool{addr: true}}
	maps.Copy(next.addrs, now.addrs)
	u.now.Store(next)
}

func (p *callPeers) ended(call string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endedLocked(call)
}

func (p *callPeers) endedLocked(call string) {
	for _, u := range p.calls[call] {
		if u == nil {
			continue
		}
		if e := u.now.Load(); e != nil && e.call == call { // else it has gone on to another call
			u.now.Store(nil)
		}
		p.releaseLocked(u)
	}
	delete(p.calls, call)
}

// peer is the other member of u's call, nil without one.
func (u *member) peer() *member {
	if e := u.now.Load(); e != nil {
		if other := e.peer.now.Load(); other != nil && other.call == e.call {
			return e.peer
		}
	}
	return nil
}

// reaches says whether the other member of the current call is to be reached at addr.
func (u *member) reaches(addr netip.Addr) bool {
	e := u.now.Load()
	if e == nil {
		return false
	}
	other := e.peer.now.Load()
	return other != nil && other.call == e.call && other.addrs[addr]
}
