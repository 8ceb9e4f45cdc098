package plane

// A call as the loop sees it: a translator between two ports.

import (
	"net/netip"
	"sync/atomic"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"duet/internal/lock"
	"duet/internal/udp"
)

// Call is one call: its translator, and the two ports that it forwards between.
type Call struct {
	*Translator
	ports [2]atomic.Pointer[Port]
}

// NewCall makes a call with no ports.
func (p *Plane) NewCall() *Call {
	c := &Call{Translator: NewTranslator()}
	c.totals = &p.Totals
	return c
}

// A port's state is decided once, before any media, and never goes back: a leg whose keys the plane has used must not be
// sealed by pion again, which would count from zero under the same keys.
const (
	undecided = iota
	onPlane   // opened and sealed here
	pionPath  // opened and sealed by pion
	closed
)

// Port is one leg's place in the plane. It exists from the first offer on.
type Port struct {
	plane         *Plane
	call          *Call
	side          Side
	onFirstPacket func() // called once, at the first authentic packet

	state  atomic.Int32
	target atomic.Pointer[confirmed]
	told   bool // of the loop: onFirstPacket was called

	// Of the loop, once the state is onPlane.
	open    *srtp.Context
	opening rtp.Header
	sources [2]map[uint32]struct{} // SSRCs that have sent something authentic: of RTP, of RTCP

	mu      lock.Mutex[lock.Leaf] // guards what follows: the loop sends, and for mixed calls pion's goroutines
	seal    *srtp.Context
	sealing rtp.Header

	queue chan outgoing // of an ordinary port: what its goroutine gives to pion

	// Guarded by Plane.mu.
	ufrags []string
	addrs  []netip.AddrPort // oldest first
}

// outgoing is a plain packet on its way to pion.
type outgoing struct {
	rtcp bool
	b    []byte
}

// queueLimit is what may wait for pion in a mixed call: a quarter of a second of video.
const queueLimit = 64

// NewPort gives a leg its place and makes it the one that the call's other leg sends to. onFirstPacket is called once, from the
// loop, when the first authentic packet arrives; it must not block.
func (p *Plane) NewPort(c *Call, side Side, onFirstPacket func()) *Port {
	t := &Port{plane: p, call: c, side: side, onFirstPacket: onFirstPacket}
	c.ports[side].Store(t)
	return t
}

// Expect lets Binding requests for a local ufrag through to pion: of the first offer, and of every ICE restart.
func (t *Port) Expect(ufrag string) { t.plane.expect(t, ufrag) }

// Activate takes the leg on the plane: its packets are opened with these keys from now on, and sent to this address. It may
// be called once, when pion has verified the connection and before any media went out. An error leaves it undecided.
func (t *Port) Activate(k *Keys, target netip.AddrPort) error {
	open, seal, err := k.contexts()
	if err != nil {
		return err
	}
	t.Retarget(target)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state.Load() != undecided {
		return ErrNoKeys
	}
	t.open, t.seal = open, seal
	t.sources = [2]map[uint32]struct{}{{}, {}}
	t.state.Store(onPlane)
	return nil
}

// LeaveToPion leaves the leg to pion. What the other leg sends is given to write from a goroutine of its own, which the
// returned function runs until the port is closed.
func (t *Port) LeaveToPion(write func(rtcp bool, b []byte)) (run func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue = make(chan outgoing, queueLimit)
	t.state.CompareAndSwap(undecided, pionPath)
	if t.state.Load() == closed {
		close(t.queue)
	}
	return func() {
		for o := range t.queue {
			write(o.rtcp, o.b)
		}
	}
}

// OnPlane reports whether the plane carries the leg.
func (t *Port) OnPlane() bool { return t.state.Load() == onPlane }

// Retarget sends to another address: ICE has selected another pair.
func (t *Port) Retarget(to netip.AddrPort) {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	p := t.plane
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.addrs[to]
	if c == nil || c.port != t { // pion knows it from elsewhere
		c = &confirmed{port: t, addr: to}
		if p.broken == nil {
			c.sockaddr = p.sock.Sockaddr(to, netip.Addr{})
		}
	}
	t.target.Store(c)
}

// Close forgets the leg and its keys.
func (t *Port) Close() {
	t.mu.Lock()
	before := t.state.Swap(closed)
	t.seal = nil
	if before == pionPath {
		close(t.queue)
	}
	t.mu.Unlock()
	t.call.ports[t.side].CompareAndSwap(t, nil)
	t.plane.forget(t)
}

// Send sends a plain packet of the other leg to this one, from outside the loop: in mixed calls, and for requests of the
// relay's own. b is changed.
func (t *Port) Send(rtcp bool, b []byte) {
	switch t.state.Load() {
	case onPlane:
		if len(b) > maxPacket-trailer {
			t.plane.drop(DropOversize)
			return
		}
		buf := buffers.Get().(*buffer)
		defer buffers.Put(buf)
		if sealed, to, ok := t.sealTo(buf.b[:0], rtcp, b); ok {
			t.plane.write(sealed, to)
		}
	case pionPath:
		t.enqueue(rtcp, b)
	}
}

// enqueue gives a copy to pion's side, or drops it when that is slow.
func (t *Port) enqueue(rtcp bool, b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state.Load() != pionPath {
		return
	}
	select {
	case t.queue <- outgoing{rtcp, append([]byte(nil), b...)}:
	default:
		t.plane.drop(DropQueue)
	}
}

// sealTo seals b into dst's memory, which may be b's own for RTP.
func (t *Port) sealTo(dst []byte, rtcp bool, b []byte) (sealed []byte, to *udp.Sockaddr, ok bool) {
	target := t.target.Load()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seal == nil || target == nil {
		return nil, nil, false
	}
	var err error
	if rtcp {
		sealed, err = t.seal.EncryptRTCP(dst, b, nil)
	} else {
		sealed, err = t.seal.EncryptRTP(dst, b, &t.sealing)
	}
	return sealed, &target.sockaddr, err == nil
}
