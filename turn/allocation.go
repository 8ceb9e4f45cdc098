package turn

// This file is allocations (RFC 8656 sections 6 to 8): how a client gets a relayed address, how long it has it, and its end.

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"duet/internal/lock"
	"duet/internal/udp"
)

// allocation is a client's relayed address and what has been granted for it.
type allocation struct {
	gate     *gate
	client   netip.AddrPort
	local    netip.Addr // see route
	who      identity
	quota    *userQuota
	plots    []*plot // of a user for whom nobody vouches
	member   *member // of a user who may only reach its call; nil: any public address
	relay    netip.AddrPort
	born     time.Time
	pair     bool         // the next port is claimed for it; the authority's goroutine's own
	sockaddr udp.Sockaddr // of client, for the system

	socket   atomic.Pointer[relaySocket] // nil: no peer outside is permitted
	over     atomic.Bool                 // closed or expired
	lastSent atomic.Int64                // when its client last sent something, on the server's clock; 0: never

	// Never changed, only replaced. Few: maps would take more memory than all else.
	bindings     atomic.Pointer[[]*binding]
	permissions  atomic.Pointer[[]*permission]
	destinations atomic.Pointer[[]*destination] // peers without a channel; nil: none yet
	renewed      atomic.Int64                   // when destinations were begun anew

	up, down counter // payloads from the client, and to it

	// the housekeeper's own
	seen   uint64
	seenAt time.Time

	mu     lock.Mutex[lock.Leaf] // guards what follows, and whoever replaces a list
	closed bool
	timer  *time.Timer
}

// relaySocket is the real socket of a relayed address.
type relaySocket interface {
	send(b []byte, peer netip.AddrPort) error // does not wait
	close()
}

type counter struct{ packets, bytes atomic.Uint64 }

func (c *counter) add(n int) {
	c.packets.Add(1)
	c.bytes.Add(uint64(n))
}

// judgeAllocate says with which code an Allocate request is refused; 0: not at all.
func (g *gate) judgeAllocate() int {
	r, s := &g.req, g.server
	if a := r.allocation; a != nil {
		switch {
		case a.isOver():
			return codeMismatch
		case a.who.user != r.who.user:
			return codeWrongCredentials
		}
		return 0 // a repetition gets the same answer again, anything else 437
	}
	switch {
	case !r.carries(hasTransport):
		return codeBadRequest
	case r.transport != protocolUDP:
		return codeTransport
	case r.carries(hasFamily) && r.carries(hasReservation):
		return codeBadRequest
	case r.carries(hasFamily) && r.family != family4 && r.family != family6:
		return codeFamily
	case !s.relayIP(r.family).IsValid():
		return codeFamily
	case r.carries(hasEvenPort) && r.carries(hasReservation):
		return codeBadRequest
	case r.carries(hasReservation) && !s.reservations.known(string(r.token)):
		return codeCapacity
	}
	g.clampLifetime()
	return g.judgeQuota()
}

// judgeQuota refuses an allocation that is one too many. Of a user of ours the one whose client is gone gives way.
func (g *gate) judgeQuota() int {
	r, s := &g.req, g.server
	for {
		code, bound := s.quotas.admits(r.who, r.from.Addr(), r.ports())
		if bound == boundUser {
			if old := s.quotas.longestSilent(r.who, s.clockAt(r.now)); old != nil {
				old.expire()
				continue
			}
		}
		if code != 0 {
			s.stats.bounds[bound].Add(1)
		}
		return code
	}
}

// ports is how many relayed addresses an Allocate request asks for that are not counted yet.
func (r *request) ports() int {
	switch {
	case r.asksForPair():
		return 2
	case r.carries(hasReservation):
		return 0
	}
	return 1
}

// asksForPair says whether the port after the even one is to be reserved, too (RFC 8656 section 18.5).
func (r *request) asksForPair() bool { return r.carries(hasEvenPort) && r.even&0x80 != 0 }

// judgeRefresh does the same for a Refresh request.
func (g *gate) judgeRefresh() int {
	r := &g.req
	if r.carries(hasFamily) && (r.family == family6) != r.allocation.relay.Addr().Is6() {
		return codePeerFamily
	}
	if !r.carries(hasLifetime) || r.lifetime != 0 {
		g.clampLifetime()
	}
	return 0
}

// clampLifetime gives what RFC 8656 section 7.2 says: no less than the default, no more than the maximum.
func (g *gate) clampLifetime() {
	limits := &g.server.limits
	g.req.lifetime = min(max(g.req.lifetime, limits.minLifetime), limits.maxLifetime)
}

var errQuota = errors.New("the quota is reached")

// allocate makes the allocation for the current request, with a relayed address.
func (g *gate) allocate() (*allocation, error) {
	r, s := &g.req, g.server
	a := &allocation{
		gate: g, client: r.from, local: r.local, who: r.who, born: r.now,
		sockaddr: g.transport.sockaddr(route{r.from, r.local}),
	}
	a.bindings.Store(new([]*binding))
	a.permissions.Store(new([]*permission))
	if a.quota = s.quotas.enter(a.who, a.client.Addr(), a, min(r.ports(), 1)); a.quota == nil {
		return nil, errQuota
	}
	if a.who.own() && s.quotas.open {
		a.plots = s.quotas.commons.enter(a.client.Addr())
	}
	if a.who.own() && s.cfg.Permissions == "call" {
		a.member = s.callPeers.hold(a.who.id, canonical(a.client.Addr()))
	}
	if err := s.giveRelay(a, r); err != nil {
		s.released(a)
		return nil, err
	}
	s.stats.opened.Add(1)
	return a, nil
}

// giveRelay gives a its relayed address: the one that was reserved for it, or a free one.
func (s *Server) giveRelay(a *allocation, r *request) (err error) {
	if r.carries(hasReservation) {
		if relay, ok := s.reservations.take(string(r.token)); ok {
			s.relays.assign(relay, a)
			a.relay = relay
			return nil
		}
	}
	a.pair = r.asksForPair()
	a.relay, err = s.ports.choose(s.relays, a, s.relayIP(r.family), r.carries(hasEvenPort), a.pair)
	return err
}

// hold makes a known: from now on it is its client's.
func (g *gate) hold(a *allocation) {
	g.mu.Lock()
	g.allocations[a.client] = a
	g.mu.Unlock()
	g.live.Add(1)
	g.transport.allocated(true)
}

// forget is the end of what hold began.
func (g *gate) forget(a *allocation) {
	g.mu.Lock()
	if g.allocations[a.client] == a {
		delete(g.allocations, a.client)
	}
	left := len(g.allocations)
	g.mu.Unlock()
	if left == 0 {
		g.transport.allocated(false)
	}
	g.abandon(a)
	g.live.Done()
}

// abandon gives back what allocate took.
func (g *gate) abandon(a *allocation) {
	s := g.server
	s.relays.release(a.relay)
	if a.pair { // and there is no token for it
		s.relays.release(nextPort(a.relay))
	}
	s.released(a)
	s.log.Info("turn allocation ended", "user", a.who.user, "client", a.client, "relay", a.relay,
		"for", time.Since(a.born).Round(time.Second),
		"packets_up", a.up.packets.Load(), "bytes_up", a.up.bytes.Load(),
		"packets_down", a.down.packets.Load(), "bytes_down", a.down.bytes.Load())
}

func (s *Server) released(a *allocation) {
	s.quotas.leave(a.quota, a.client.Addr(), a)
	if a.plots != nil {
		s.quotas.commons.leave(a.client.Addr())
	}
	if a.member != nil {
		s.callPeers.release(a.member)
	}
}

func (a *allocation) route() route { return route{a.client, a.local} }

// openSocket makes peers outside reachable; called before a permission for one is granted.
func (a *allocation) openSocket() error {
	if a.socket.Load() != nil {
		return nil
	}
	socket, err := a.gate.server.openRelay(a)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		socket.close()
		return net.ErrClosed
	}
	a.socket.Store(&socket)
	return nil
}

// setLifetime sets how long the allocation lasts from now, as its client has just been told.
func (a *allocation) setLifetime(lifetime time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	if d := max(0, lifetime-a.gate.server.limits.expiryLead); a.timer == nil {
		a.timer = time.AfterFunc(d, a.expire)
	} else {
		a.timer.Reset(d)
	}
}

// expire ends the allocation: nothing is relayed any more, and soon the authority forgets it.
func (a *allocation) expire() {
	if !a.over.Swap(true) {
		a.gate.authority.expire(a)
	}
}

// endIfIdle ends the allocation if nothing has been relayed for so long.
func (a *allocation) endIfIdle(now time.Time, idle time.Duration) {
	if n := a.up.packets.Load() + a.down.packets.Load(); n != a.seen || a.seenAt.IsZero() {
		a.seen, a.seenAt = n, now
	} else if now.Sub(a.seenAt) >= idle {
		a.expire()
	}
}

// isOver says that no request may touch it any more.
func (a *allocation) isOver() bool { return a.over.Load() }

func (a *allocation) isClosed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.closed
}

// close is the authority's word that the allocation is over.
func (a *allocation) close() {
	a.over.Store(true)
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return
	}
	a.closed = true
	if a.timer != nil {
		a.timer.Stop()
	}
	a.mu.Unlock()
	if socket := a.socket.Load(); socket != nil {
		(*socket).close()
	}
	a.gate.forget(a)
}
