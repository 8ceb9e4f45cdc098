package turn

// This file is one allocation as the server sees it: the net.PacketConn that the library relays through.

import (
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const permissionLifetime = 5 * time.Minute // the library's

// allocation implements net.PacketConn for the library. Close is called by the library, once.
type allocation struct {
	front      *front
	client     netip.AddrPort
	local      netip.Addr // see route
	clientAddr net.Addr   // client, as the library wants it
	who        identity
	account    *account
	party      *party // of a user who may only reach its call; nil: any public address
	relay      netip.AddrPort
	relayAddr  *net.UDPAddr
	born       time.Time
	pair       bool // the next port is claimed for it; the read loop's own

	socket atomic.Pointer[relaySocket] // nil: no peer outside is permitted
	over   atomic.Bool                 // closed or doomed
	// never changed, only replaced
	bindings atomic.Pointer[[]*binding]
	sockaddr sockaddr // of client, for the system

	up, down counter // payloads from the client, and to it

	// the housekeeper's own
	seen   uint64
	seenAt time.Time

	mu          sync.Mutex // a leaf; guards what follows
	closed      bool
	timer       *time.Timer
	permissions []permission // few: a map would take more memory than all else
}

type permission struct {
	peer  netip.Addr
	until time.Time
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

func newAllocation(f *front, r *request) *allocation {
	a := &allocation{
		front: f, client: r.from, local: r.local, clientAddr: r.fromAddr, who: r.who, born: r.now,
		sockaddr: f.link.sockaddr(route{r.from, r.local}),
	}
	a.bindings.Store(new([]*binding))
	return a
}

func (a *allocation) route() route { return route{a.client, a.local} }

// ReadFrom ends the library's packet handler at once. Whatever comes for the client goes around it (fast.go), so that an
// idle allocation has no goroutine and no buffer, which are half of the memory it would take. And a handler that got an
// error would delete its client's allocation by address, which by then may be another one.
func (a *allocation) ReadFrom([]byte) (int, net.Addr, error) {
	runtime.Goexit()
	return 0, nil, net.ErrClosed
}

func (a *allocation) isClosed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.closed
}

// WriteTo carries one payload from the client to a peer. It never fails: what cannot be sent is lost, as on any network.
func (a *allocation) WriteTo(b []byte, addr net.Addr) (int, error) {
	if udp, ok := addr.(*net.UDPAddr); ok {
		peer := udp.AddrPort()
		a.send(b, netip.AddrPortFrom(canonical(peer.Addr()), peer.Port()))
	}
	return len(b), nil
}

// verdict says what may be done with packets for peer, now; port 0 stands for any.
func (a *allocation) verdict(peer netip.AddrPort) verdict {
	return a.narrow(a.front.server.policy.judge(peer), canonical(peer.Addr()))
}

// narrow takes from a verdict what the user's call does not allow.
func (a *allocation) narrow(v verdict, peer netip.Addr) verdict {
	if a.party != nil {
		v.memory = v.memory && a.party.peer() != nil
		v.outside = v.outside && (a.party.reaches(peer) || v.relay && a.party.peer() != nil)
	}
	return v
}

// meets says whether the two may exchange packets in memory: it takes the consent of both.
func (a *allocation) meets(b *allocation) bool {
	return (a.party == nil || b.party != nil && a.party.peer() == b.party) &&
		(b.party == nil || a.party != nil && b.party.peer() == a.party)
}

func (a *allocation) send(b []byte, peer netip.AddrPort) {
	s := a.front.server
	v := a.verdict(peer)
	switch {
	case len(b) > maxPacket:
		s.stats.drop(errOversize)
		return
	case !v.any() || v.relay && s.nested(b):
		s.stats.drop(errForbidden)
		return
	case !s.accounts.pass(a.account, len(b), s.clock()):
		s.stats.drop(errOverQuota)
		return
	}
	a.up.add(len(b))
	if v.memory {
		if to := s.fabric.lookup(peer); to != nil {
			if !a.meets(to) {
				s.stats.drop(errForbidden)
				return
			}
			s.stats.up[pathMemory].add(len(b))
			to.deliver(b, a.relay)
			return
		}
	}
	a.sendOutside(b, peer, v, &s.stats.traffic)
}

// sendOutside carries a payload to a peer that is no allocation of this server.
func (a *allocation) sendOutside(b []byte, peer netip.AddrPort, v verdict, counts *traffic) {
	err := errUnreachable
	if socket := a.socket.Load(); socket != nil && v.outside {
		err = (*socket).send(b, peer)
	}
	if err != nil {
		a.front.server.stats.lose(err)
		return
	}
	counts.up[pathSocket].add(len(b))
}

// deliver gives the client a payload from another allocation that has no channel.
func (a *allocation) deliver(b []byte, from netip.AddrPort) {
	s := a.front.server
	switch {
	case a.over.Load():
	case !a.permitted(from.Addr()):
		s.stats.drop(errNoPermission)
	case !s.accounts.pass(a.account, len(b), s.clock()):
		s.stats.drop(errOverQuota)
	default:
		a.indicate(b, from, pathMemory)
	}
}

// indicate sends the client a payload as a Data indication.
func (a *allocation) indicate(b []byte, from netip.AddrPort, way path) {
	a.down.add(len(b))
	a.front.server.stats.down[way].add(len(b))
	p := packets.Get().(*packet)
	a.front.link.write(appendData(p.buf[:0], from, b), a.route())
	packets.Put(p)
}

// openSocket makes peers outside reachable; called by the front before it lets a permission for one pass.
func (a *allocation) openSocket() error {
	if a.socket.Load() != nil {
		return nil
	}
	socket, err := a.front.server.openRelay(a)
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

// permitted mirrors the library's list, so that strangers cannot fill the queue.
func (a *allocation) permitted(peer netip.Addr) bool {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.permissions {
		if p.peer == peer {
			return now.Before(p.until)
		}
	}
	return false
}

// permit notes what the library has granted.
func (a *allocation) permit(peers []netip.AddrPort, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range peers {
		peer := canonical(p.Addr())
		i := slices.IndexFunc(a.permissions, func(p permission) bool { return p.peer == peer })
		if i < 0 {
			i = len(a.permissions)
			a.permissions = append(a.permissions, permission{peer: peer})
		}
		a.permissions[i].until = now.Add(permissionLifetime)
	}
}

// room says whether permissions for these peers fit under limit, and forgets those that have run out.
func (a *allocation) room(peers []netip.AddrPort, limit int, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.permissions = slices.DeleteFunc(a.permissions, func(p permission) bool { return now.After(p.until) })
	all := make([]netip.Addr, 0, 8)
	for _, p := range a.permissions {
		all = append(all, p.peer)
	}
	for _, p := range peers {
		if peer := canonical(p.Addr()); !slices.Contains(all, peer) {
			all = append(all, peer)
		}
	}
	return len(all) <= limit
}

// bind notes a channel that the library has bound, or bound again.
func (a *allocation) bind(number uint16, peer netip.AddrPort, now time.Time) {
	a.permit([]netip.AddrPort{peer}, now)
	clock := a.front.server.clockAt(now)
	until := clock + int64(a.front.server.limits.channelLifetime)
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
	b := &binding{number: number, peer: peer}
	b.until.Store(until)
	kept = append(kept, b)
	a.bindings.Store(&kept)
}

// bindable says whether number may be bound to peer, and whether there is room for it.
func (a *allocation) bindable(number uint16, peer netip.AddrPort, limit int, now time.Time) (ok, room bool) {
	clock, live, known := a.front.server.clockAt(now), 0, false
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

// lives sets how long the allocation lasts from now, as the library has just told the client.
func (a *allocation) lives(lifetime time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	if d := max(0, lifetime-a.front.server.limits.expiryLead); a.timer == nil {
		a.timer = time.AfterFunc(d, a.doom)
	} else {
		a.timer.Reset(d)
	}
}

// doom ends the allocation from outside the library: nothing is relayed any more, and soon the library forgets it.
func (a *allocation) doom() {
	if !a.over.Swap(true) {
		a.front.dismiss(a)
	}
}

// endIfIdle ends the allocation if nothing has been relayed for so long.
func (a *allocation) endIfIdle(now time.Time, idle time.Duration) {
	if n := a.up.packets.Load() + a.down.packets.Load(); n != a.seen || a.seenAt.IsZero() {
		a.seen, a.seenAt = n, now
	} else if now.Sub(a.seenAt) >= idle {
		a.doom()
	}
}

// dying says that no request may touch it any more.
func (a *allocation) dying() bool { return a.over.Load() }

// Close is the library's word that the allocation is over.
func (a *allocation) Close() error {
	a.over.Store(true)
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return nil
	}
	a.closed = true
	if a.timer != nil {
		a.timer.Stop()
	}
	a.mu.Unlock()
	if socket := a.socket.Load(); socket != nil {
		(*socket).close()
	}
	a.front.forget(a)
	return nil
}

// LocalAddr is the relayed address, which is what the library logs.
func (a *allocation) LocalAddr() net.Addr { return a.relayAddr }

// SetDeadline and its sisters are never called by the library.
func (a *allocation) SetDeadline(time.Time) error      { return nil }
func (a *allocation) SetReadDeadline(time.Time) error  { return nil }
func (a *allocation) SetWriteDeadline(time.Time) error { return nil }
