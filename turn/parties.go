package turn

// This file knows which of our own users are in a call with whom, and which addresses the other party has signalled:
// nothing else may be reached through their allocations when permissions are "call".

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// maxSignalled bounds the addresses of one party in one call; browsers have a dozen.
const maxSignalled = 64

// parties is told by signaling; see CallStarted, Candidate and CallEnded.
type parties struct {
	mu    sync.Mutex // a leaf; guards all that is not atomic
	users map[string]*party
	calls map[string][2]*party
}

// party is one user of ours while it has an allocation or a call. Packets read it without a lock.
type party struct {
	id   string
	refs int
	now  atomic.Pointer[engagement] // nil: in no call
}

// engagement is a party's side of a call; never changed, only replaced.
type engagement struct {
	call  string
	peer  *party
	addrs map[netip.Addr]bool // signalled by this party
}

func newParties() *parties {
	return &parties{users: map[string]*party{}, calls: map[string][2]*party{}}
}

// hold finds or makes a user's party, until release.
func (p *parties) hold(user string) *party {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.holdLocked(user)
}

func (p *parties) holdLocked(user string) *party {
	u := p.users[user]
	if u == nil {
		u = &party{id: user}
		p.users[user] = u
	}
	u.refs++
	return u
}

func (p *parties) release(u *party) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.releaseLocked(u)
}

func (p *parties) releaseLocked(u *party) {
	if u.refs--; u.refs == 0 {
		delete(p.users, u.id)
	}
}

func (p *parties) started(call, userA, userB string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endedLocked(call)
	a, b := p.holdLocked(userA), p.holdLocked(userB)
	p.calls[call] = [2]*party{a, b}
	a.now.Store(&engagement{call: call, peer: b})
	b.now.Store(&engagement{call: call, peer: a})
}

func (p *parties) signalled(call, user string, addr netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.calls[call] {
		if u == nil || u.id != user {
			continue
		}
		old := u.now.Load()
		if old == nil || old.call != call || old.addrs[addr] || len(old.addrs) >= maxSignalled {
			return
		}
		e := &engagement{call: call, peer: old.peer, addrs: map[netip.Addr]bool{addr: true}}
		for a := range old.addrs {
			e.addrs[a] = true
		}
		u.now.Store(e)
		return
	}
}

func (p *parties) ended(call string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endedLocked(call)
}

func (p *parties) endedLocked(call string) {
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

// peer is the other party of u's call, nil without one.
func (u *party) peer() *party {
	if e := u.now.Load(); e != nil {
		if other := e.peer.now.Load(); other != nil && other.call == e.call {
			return e.peer
		}
	}
	return nil
}

// reaches says whether the other party has signalled addr in the current call.
func (u *party) reaches(addr netip.Addr) bool {
	e := u.now.Load()
	if e == nil {
		return false
	}
	other := e.peer.now.Load()
	return other != nil && other.call == e.call && other.addrs[addr]
}
