package turn

// This file forwards ChannelData around the library. A binding is made when the library has answered a ChannelBind with
// success, and lives no longer than the library's own: until its time, its allocation's end, or a new verdict. From the
// lookup to the emitter there is no allocation of memory and no lock that two flows share. What finds no channel at its
// receiver becomes a Data indication, if the library has granted a permission.

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
)

// binding is one channel of one allocation.
type binding struct {
	number uint16
	peer   netip.AddrPort
	until  atomic.Int64 // on the server's clock

	// what was found last time; all of it is checked before it is believed
	judged atomic.Uint64 // policy's epoch, and the verdict in the three lowest bits; 0: not yet
	to     atomic.Pointer[allocation]
	back   atomic.Pointer[binding] // the channel of to for packets from here
	missed atomic.Uint64           // fabric's epoch when there was no allocation at peer
}

// emitter takes frames for clients. The frame is its to keep until it flushes.
type emitter interface {
	emit(to *allocation, frame []byte)
	counts() *traffic
}

// direct is the emitter that sends at once.
type direct struct{ server *Server }

func (d direct) emit(to *allocation, frame []byte) { to.front.link.write(frame, to.route()) }
func (d direct) counts() *traffic                  { return &d.server.stats.traffic }

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

// verdictFor is verdict for a bound peer; the part that depends on the address alone is remembered.
func (a *allocation) verdictFor(b *binding) verdict {
	p := a.front.server.policy
	epoch := p.epoch.Load()
	judged := b.judged.Load()
	if judged>>3 != epoch {
		v := p.judge(b.peer)
		judged = epoch<<3 | uint64(btoi(v.memory)) | uint64(btoi(v.outside))<<1 | uint64(btoi(v.relay))<<2
		b.judged.Store(judged)
	}
	return a.narrow(verdict{memory: judged&1 != 0, outside: judged&2 != 0, relay: judged&4 != 0}, b.peer.Addr())
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// forward relays one ChannelData frame of a's client. The frame may be changed.
func (s *Server) forward(a *allocation, frame []byte, now int64, e emitter) {
	number, n := channelHeader(frame)
	b := a.channel(number, now)
	if b == nil || a.over.Load() {
		s.stats.drop(errUnknownChannel)
		return
	}
	if n > maxPacket {
		s.stats.drop(errOversize)
		return
	}
	v := a.verdictFor(b)
	if !v.any() || v.relay && s.nested(frame[4:4+n]) {
		s.stats.drop(errForbidden)
		return
	}
	if !s.accounts.pass(a.account, n, now) {
		s.stats.drop(errOverQuota)
		return
	}
	a.up.add(n)
	if v.memory {
		if to := s.target(b); to != nil {
			s.handOver(a, b, to, frame[:4+n], now, e)
			return
		}
	}
	a.sendOutside(frame[4:4+n], b.peer, v, e.counts())
}

// target is the allocation at the other end of b, if there is one.
func (s *Server) target(b *binding) *allocation {
	if to := b.to.Load(); to != nil && !to.over.Load() {
		return to
	}
	epoch := s.fabric.epoch.Load()
	if b.missed.Load() == epoch {
		return nil
	}
	to := s.fabric.lookup(b.peer)
	if to == nil {
		b.missed.Store(epoch)
		return nil
	}
	if to.over.Load() { // on its way out of the fabric
		return nil
	}
	b.back.Store(nil)
	b.to.Store(to)
	return to
}

// handOver gives a frame of a to the client of to: on its own channel if it has one for a, else as a
// Data indication.
func (s *Server) handOver(a *allocation, b *binding, to *allocation, frame []byte, now int64, e emitter) {
	if !a.meets(to) {
		s.stats.drop(errForbidden)
		return
	}
	back := b.back.Load()
	if back == nil || now >= back.until.Load() || back.peer != a.relay {
		if back = to.channelTo(a.relay, now); back == nil {
			e.counts().up[pathMemory].add(len(frame) - 4)
			to.deliver(frame[4:], a.relay)
			return
		}
		b.back.Store(back)
	}
	if !s.accounts.pass(to.account, len(frame)-4, now) {
		s.stats.drop(errOverQuota)
		return
	}
	counts := e.counts()
	counts.up[pathFast].add(len(frame) - 4)
	counts.down[pathFast].add(len(frame) - 4)
	to.down.add(len(frame) - 4)
	binary.BigEndian.PutUint16(frame, back.number)
	e.emit(to, frame)
}

// arrived relays what a peer outside has sent to a's socket; frame has four bytes of room before the payload.
func (s *Server) arrived(a *allocation, frame []byte, from netip.AddrPort, now int64, e emitter) {
	n := len(frame) - 4
	b := a.channelTo(from, now)
	switch {
	case a.over.Load():
		return
	case n > maxPacket:
		s.stats.drop(errOversize)
	case b == nil && !a.permitted(from.Addr()):
		s.stats.drop(errNoPermission)
	case b == nil:
		if !a.verdict(from).outside {
			s.stats.drop(errForbidden)
			return
		}
		if !s.accounts.pass(a.account, n, now) {
			s.stats.drop(errOverQuota)
			return
		}
		a.indicate(frame[4:], from, pathSocket)
	case !a.verdictFor(b).outside:
		s.stats.drop(errForbidden)
	case !s.accounts.pass(a.account, n, now):
		s.stats.drop(errOverQuota)
	default:
		a.down.add(n)
		e.counts().down[pathSocket].add(n)
		binary.BigEndian.PutUint16(frame, b.number)
		binary.BigEndian.PutUint16(frame[2:], uint16(n))
		e.emit(a, frame)
	}
}
