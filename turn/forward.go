package turn

// This file forwards payloads: ChannelData around the authority, and what the authority makes of indications. From the
// lookup of a channel to the emitter there is no allocation of memory and no lock that two flows share.

import (
	"encoding/binary"
	"net/netip"
	"syscall"
)

// emitter takes frames for clients. The frame is its to keep until it flushes.
type emitter interface {
	emit(to *allocation, frame []byte)
	counts() *traffic
}

// direct is the emitter that sends at once.
type direct struct{ server *Server }

func (d direct) emit(to *allocation, frame []byte) { to.gate.transport.write(frame, to.route()) }
func (d direct) counts() *traffic                  { return &d.server.stats.traffic }

// accessThrough is access for a bound peer; the part that depends on the address alone is remembered.
func (a *allocation) accessThrough(b *binding) access {
	p := a.gate.server.policy
	epoch := p.epoch.Load()
	judged := b.judged.Load()
	if judged>>3 != epoch {
		v := p.accessTo(b.peer)
		judged = epoch<<3 | uint64(btoi(v.memory)) | uint64(btoi(v.outside))<<1 | uint64(btoi(v.relay))<<2
		b.judged.Store(judged)
	}
	return a.restrictToCall(access{memory: judged&1 != 0, outside: judged&2 != 0, relay: judged&4 != 0}, b.peer.Addr())
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
		s.stats.drop(dropUnknownChannel)
		return
	}
	if n > maxPacket {
		s.stats.drop(dropOversize)
		return
	}
	v := a.accessThrough(b)
	if !v.any() || v.relay && s.nested(frame[4:4+n]) {
		s.stats.drop(dropForbidden)
		return
	}
	if !s.quotas.pass(a.quota, n, now) {
		s.stats.drop(dropOverQuota)
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
	epoch := s.relays.epoch.Load()
	if b.missed.Load() == epoch {
		return nil
	}
	to := s.relays.lookup(b.peer)
	if to == nil {
		b.missed.Store(epoch)
		return nil
	}
	if to.over.Load() { // on its way out of the relays
		return nil
	}
	b.back.Store(nil)
	b.to.Store(to)
	return to
}

// handOver gives a frame of a to the client of to: on its own channel if it has one for a, else as a
// Data indication.
func (s *Server) handOver(a *allocation, b *binding, to *allocation, frame []byte, now int64, e emitter) {
	if !a.mayExchange(to) {
		s.stats.drop(dropForbidden)
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
	if !s.quotas.pass(to.quota, len(frame)-4, now) {
		s.stats.drop(dropOverQuota)
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
		s.stats.drop(dropOversize)
	case b == nil && !a.permitted(from.Addr()):
		s.stats.drop(dropNoPermission)
	case b == nil:
		if !a.accessTo(from).outside {
			s.stats.drop(dropForbidden)
			return
		}
		if !s.quotas.pass(a.quota, n, now) {
			s.stats.drop(dropOverQuota)
			return
		}
		a.indicate(frame[4:], from, pathSocket)
	case !a.accessThrough(b).outside:
		s.stats.drop(dropForbidden)
	case !s.quotas.pass(a.quota, n, now):
		s.stats.drop(dropOverQuota)
	default:
		a.down.add(n)
		e.counts().down[pathSocket].add(n)
		binary.BigEndian.PutUint16(frame, b.number)
		binary.BigEndian.PutUint16(frame[2:], uint16(n))
		e.emit(a, frame)
	}
}

// send carries what a Send indication holds to a peer.
func (a *allocation) send(b []byte, peer netip.AddrPort) {
	s := a.gate.server
	v := a.accessTo(peer)
	switch {
	case len(b) > maxPacket:
		s.stats.drop(dropOversize)
		return
	case !v.any() || v.relay && s.nested(b):
		s.stats.drop(dropForbidden)
		return
	case !s.quotas.pass(a.quota, len(b), s.clock()):
		s.stats.drop(dropOverQuota)
		return
	}
	a.up.add(len(b))
	if v.memory {
		if to := s.relays.lookup(peer); to != nil {
			if !a.mayExchange(to) {
				s.stats.drop(dropForbidden)
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
func (a *allocation) sendOutside(b []byte, peer netip.AddrPort, v access, counts *traffic) {
	err := error(syscall.ENETUNREACH)
	if socket := a.socket.Load(); socket != nil && v.outside {
		err = (*socket).send(b, peer)
	}
	if err != nil {
		a.gate.server.stats.lose(err)
		return
	}
	counts.up[pathSocket].add(len(b))
}

// deliver gives the client a payload from another allocation that has no channel.
func (a *allocation) deliver(b []byte, from netip.AddrPort) {
	s := a.gate.server
	switch {
	case a.over.Load():
	case !a.permitted(from.Addr()):
		s.stats.drop(dropNoPermission)
	case !s.quotas.pass(a.quota, len(b), s.clock()):
		s.stats.drop(dropOverQuota)
	default:
		a.indicate(b, from, pathMemory)
	}
}

// indicate sends the client a payload as a Data indication.
func (a *allocation) indicate(b []byte, from netip.AddrPort, way path) {
	a.down.add(len(b))
	a.gate.server.stats.down[way].add(len(b))
	p := packets.Get().(*packet)
	a.gate.transport.write(appendData(p.buf[:0], from, b), a.route())
	packets.Put(p)
}
