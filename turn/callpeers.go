package turn

// This file knows which of our own users are in a call with whom, and which addresses the other member has candidates:
// nothing else may be reached through their allocations when permissions are "call".

import (
	"net/netip"
	"sync/atomic"

	"duet/internal/lock"
)

// maxCandidates bounds the addresses of one member in one call; browsers have a dozen.
const maxCandidates = 64

// callPeers is told by signaling; see CallStarted, Candidate and CallEnded.
type callPeers struct {
	mu    lock.Mutex[lock.Leaf] // guards all that is not atomic
	users map[string]*member
	calls map[string][2]*member
}

// member is one user of ours while it has an allocation or a call. Packets read it without a lock.
type member struct {
	id   string
	refs int
	now  atomic.Pointer[membership] // nil: in no call
}

// membership is a member's side of a call; never changed, only replaced.
type membership struct {
	call  string
	peer  *member
	addrs map[netip.Addr]bool // candidates by this member
}

func newCallPeers() *callPeers {
	return &callPeers{users: map[string]*member{}, calls: map[string][2]*member{}}
}

// hold finds or makes a user's member, until release.
func (p *callPeers) hold(user string) *member {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.holdLocked(user)
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
	if u.refs--; u.refs == 0 {
		delete(p.users, u.id)
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
}

func (p *callPeers) candidates(call, user string, addr netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.calls[call] {
		if u == nil || u.id != user {
			continue
		}
		old := u.now.Load()
		if old == nil || old.call != call || old.addrs[addr] || len(old.addrs) >= maxCandidates {
			return
		}
		e := &membership{call: call, peer: old.peer, addrs: map[netip.Addr]bool{addr: true}}
		for a := range old.addrs {
			e.addrs[a] = true
		}
		u.now.Store(e)
		return
	}
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

// reaches says whether the other member has candidates addr in the current call.
func (u *member) reaches(addr netip.Addr) bool {
	e := u.now.Load()
	if e == nil {
		return false
	}
	other := e.peer.now.Load()
	return other != nil && other.call == e.call && other.addrs[addr]
}
