package plane

// The relay's UDP port: whose packet is it, and may it pass?

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"duet/internal/lock"
	"duet/internal/udp"
)

const (
	maxPacket = 2048 // what a buffer holds; nothing on the Internet is larger than 1,500
	trailer   = 32   // room that sealing may need: a tag of 16 and an SRTCP index of 4
	largest   = 1500 // what is read at most

	// pionQueue is how many packets may wait for pion: handshakes and checks, not media.
	pionQueue = 1024
	// maxPending bounds the Binding requests that pion has not answered yet.
	maxPending = 4096
	// maxSources is how many SSRCs a leg may send under, media and reports apart; browsers have six. What opens packets
	// keeps a replay window for each, and a client must not make it keep millions.
	maxSources = 64
	// maxAddrs is how many addresses one leg may have confirmed at a time.
	maxAddrs = 8
	// maxUfrags is how many ICE generations of one leg are answered: the newest, and those whose checks are under way.
	maxUfrags = 4
)

// Drop is why a packet was dropped before the translator saw it, or after.
type Drop uint8

// The reasons. Those of the translator are Results.
const (
	DropStranger    Drop = iota // a Binding request for no ufrag of ours, or nothing that belongs here
	DropUnconfirmed             // media from an address that ICE has not confirmed
	DropUndecided               // media before the leg was decided
	DropForged                  // did not authenticate, or was seen before
	DropQueue                   // a queue was full
	DropSocket                  // the kernel took no more
	DropOversize
	DropBypass  // pion wanted to seal media itself
	DropSources // a leg named more SSRCs than any client has
	DropKernel  // the loop was too slow, and the socket's receive buffer full
	Drops
)

func (d Drop) String() string {
	return [...]string{"stranger", "unconfirmed", "undecided", "forged", "queue", "socket", "oversize", "bypass", "sources", "kernel", "?"}[min(d, Drops)]
}

// Stats are a Plane's counters.
type Stats struct {
	PacketsIn, BytesIn, PacketsOut, BytesOut uint64
	Dropped                                  [Drops]uint64
}

type buffer struct {
	b    [maxPacket]byte
	n    int
	from netip.AddrPort
}

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// Plane is the loop on the relay's UDP port. Media of legs it carries never leaves it; all else goes to and from pion, for
// which it is the net.PacketConn under a UDP mux.
type Plane struct {
	// Totals are counted for all calls, also those whose legs are pion's.
	Totals Totals

	sock   *udp.Socket
	broken error // why there is no sock; Run returns it
	local  net.Addr
	clock  func() time.Duration
	done   chan struct{}
	once   sync.Once
	up     chan *buffer // to pion

	packetsIn, bytesIn, packetsOut, bytesOut atomic.Uint64
	dropped                                  [Drops]atomic.Uint64

	mu      lock.RWMutex[lock.Leaf]
	ufrags  map[string]*Port
	addrs   map[netip.AddrPort]*confirmed
	pending map[stunID]pending
}

// pending is a Binding request that pion may answer: if it does, the address belongs to the port.
type pending struct {
	port      *Port
	from      netip.AddrPort
	local     netip.Addr // that was asked; not valid where there is but one
	nominates bool
}

// confirmed is an address that ICE has confirmed for a port, with the address of ours that the client talks to: a NAT or a
// firewall between lets nothing in that comes from another one. It is not changed, only replaced, but for authenticAt.
type confirmed struct {
	port        *Port
	addr        netip.AddrPort
	local       netip.Addr
	sockaddr    udp.Sockaddr // of both
	authenticAt atomic.Int64 // when an authentic packet came from there, to inUseStep; 0: never
}

const (
	// inUseTime is how long an address stays a leg's after its last authentic packet, whatever checks claim it for another.
	inUseTime = 5 * time.Second
	inUseStep = time.Second
)

// authentic is told of an authentic packet by the loop.
func (c *confirmed) authentic(now time.Duration) {
	if int64(now)-c.authenticAt.Load() > int64(inUseStep) {
		c.authenticAt.Store(int64(now))
	}
}

func (c *confirmed) inUse(now time.Duration) bool {
	at := c.authenticAt.Load()
	return at != 0 && int64(now)-at < int64(inUseTime) && c.port.state.Load() == onPlane
}

// New makes a plane on a socket, which it owns from now on. local is what pion is told the socket is bound to. clock is
// monotonic and positive. Start the loop with Run.
func New(conn *net.UDPConn, local net.Addr, clock func() time.Duration) *Plane {
	sock, err := udp.Take(conn, udp.Options{Local: true})
	return &Plane{
		sock: sock, broken: err, local: local, clock: clock, done: make(chan struct{}), up: make(chan *buffer, pionQueue),
		ufrags: map[string]*Port{}, addrs: map[netip.AddrPort]*confirmed{}, pending: map[stunID]pending{},
	}
}

func (p *Plane) drop(d Drop) { p.dropped[d].Add(1) }

// Stats reads the counters.
func (p *Plane) Stats() Stats {
	s := Stats{
		PacketsIn: p.packetsIn.Load(), BytesIn: p.bytesIn.Load(),
		PacketsOut: p.packetsOut.Load(), BytesOut: p.bytesOut.Load(),
	}
	for i := range s.Dropped {
		s.Dropped[i] = p.dropped[i].Load()
	}
	if p.broken == nil {
		s.Dropped[DropKernel] = p.sock.Lost()
	}
	return s
}

func (p *Plane) expect(t *Port, ufrag string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.state.Load() == closed || slices.Contains(t.ufrags, ufrag) {
		return
	}
	if len(t.ufrags) == maxUfrags { // of ICE restarts long ago
		if p.ufrags[t.ufrags[0]] == t {
			delete(p.ufrags, t.ufrags[0])
		}
		t.ufrags = slices.Delete(t.ufrags, 0, 1)
	}
	t.ufrags = append(t.ufrags, ufrag)
	p.ufrags[ufrag] = t
}

func (p *Plane) forget(t *Port) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range t.ufrags {
		if p.ufrags[u] == t {
			delete(p.ufrags, u)
		}
	}
	for _, a := range t.addrs {
		if c := p.addrs[a]; c != nil && c.port == t {
			delete(p.addrs, a)
		}
	}
	for id, q := range p.pending {
		if q.port == t {
			delete(p.pending, id)
		}
	}
	t.ufrags, t.addrs = nil, nil
}

// owner is the port that an address was confirmed for, or nil.
func (p *Plane) owner(a netip.AddrPort) *Port {
	if c := p.confirmed(a); c != nil {
		return c.port
	}
	return nil
}

func (p *Plane) confirmed(a netip.AddrPort) *confirmed {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.addrs[a]
}

// asked notes a Binding request; false if it is for nobody here.
func (p *Plane) asked(ufrag []byte, id stunID, from netip.AddrPort, local netip.Addr, nominates bool, now time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.ufrags[string(ufrag)]
	if t == nil {
		return false
	}
	if c := p.addrs[from]; c != nil && c.port != t && c.inUse(now) {
		return false // who says to come from there does not: somebody else's media just did
	}
	if len(p.pending) >= maxPending {
		for old := range p.pending { // any: an honest client asks again
			delete(p.pending, old)
			break
		}
	}
	p.pending[id] = pending{t, from, local, nominates}
	return true
}

// answered is called for each Binding success that pion sends: it has verified the request, so the address is the leg's.
func (p *Plane) answered(id stunID, to netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q, ok := p.pending[id]
	if !ok || q.from != to {
		return
	}
	delete(p.pending, id)
	t := q.port
	if t.state.Load() == closed {
		return
	}
	c := p.addrs[to]
	if c != nil && c.port == t {
		if q.nominates && c.local != q.local { // the client has chosen another of our addresses
			p.confirm(t, to, q.local)
		}
		return
	}
	if len(t.addrs) == maxAddrs {
		oldest := 0
		if target := t.target.Load(); target != nil && target.addr == t.addrs[0] {
			oldest = 1
		}
		if c := p.addrs[t.addrs[oldest]]; c != nil && c.port == t {
			delete(p.addrs, t.addrs[oldest])
		}
		t.addrs = slices.Delete(t.addrs, oldest, oldest+1)
	}
	t.addrs = append(t.addrs, to)
	p.confirm(t, to, q.local)
}

// confirm notes whose an address is; p.mu is held.
func (p *Plane) confirm(t *Port, addr netip.AddrPort, local netip.Addr) {
	c := &confirmed{port: t, addr: addr, local: local, sockaddr: p.sock.Sockaddr(addr, local)}
	p.addrs[addr] = c
	if target := t.target.Load(); target != nil && target.addr == addr {
		t.target.Store(c)
	}
}

// write sends one datagram, from any goroutine.
func (p *Plane) write(b []byte, to *udp.Sockaddr) {
	if p.broken != nil || p.sock.Send(b, to) != nil {
		p.drop(DropSocket)
		return
	}
	p.packetsOut.Add(1)
	p.bytesOut.Add(uint64(len(b)))
}

// What follows is the net.PacketConn that pion's UDP mux reads and writes.

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (p *Plane) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case buf := <-p.up:
		n, from := copy(b, buf.b[:buf.n]), buf.from
		buffers.Put(buf)
		return n, from, nil
	case <-p.done:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

// WriteToAddrPort implements ice.AddrPortReaderWriter. Media goes out only to legs that are pion's: whatever pion might
// seal for a leg of the plane, or for an address that it never confirmed, would use a nonce a second time.
func (p *Plane) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	switch {
	case len(b) > 0 && b[0]>>6 == 2:
		if t := p.owner(to); t == nil || t.state.Load() != pionPath {
			p.drop(DropBypass)
			return len(b), nil
		}
	}
	if p.broken != nil {
		return 0, p.broken
	}
	sockaddr := p.answerTo(b, to)
	return len(b), p.sock.Send(b, &sockaddr)
}

// answerTo spells where pion's packet goes, and from which address of ours: the one that was asked.
func (p *Plane) answerTo(b []byte, to netip.AddrPort) udp.Sockaddr {
	if isSTUN(b) {
		p.mu.RLock()
		q, ok := p.pending[stunTransaction(b)]
		p.mu.RUnlock()
		if b[0] == stunSuccess>>8 && b[1] == stunSuccess&0xff {
			p.answered(stunTransaction(b), to)
		}
		if ok && q.from == to {
			return p.sock.Sockaddr(to, q.local)
		}
	}
	if c := p.confirmed(to); c != nil {
		return c.sockaddr
	}
	return p.sock.Sockaddr(to, netip.Addr{})
}

// ReadFrom implements net.PacketConn.
func (p *Plane) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := p.ReadFromAddrPort(b)
	return n, net.UDPAddrFromAddrPort(from), err
}

// WriteTo implements net.PacketConn.
func (p *Plane) WriteTo(b []byte, to net.Addr) (int, error) {
	a, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, net.InvalidAddrError("not a UDP address")
	}
	return p.WriteToAddrPort(b, a.AddrPort())
}

// Close ends the loop.
func (p *Plane) Close() error {
	p.once.Do(func() {
		close(p.done)
		if p.broken == nil {
			p.sock.Close()
		}
	})
	return nil
}

// LocalAddr implements net.PacketConn.
func (p *Plane) LocalAddr() net.Addr { return p.local }

// SetDeadline implements net.PacketConn; the mux never reads with one.
func (p *Plane) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// SetReadDeadline likewise.
func (p *Plane) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline is used by the mux to get out of a write that blocks; ours does not.
func (p *Plane) SetWriteDeadline(time.Time) error { return nil }
