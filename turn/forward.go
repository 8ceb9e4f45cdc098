package turn

// This file forwards payloads between clients and peers, around the authority: from a message's arrival to the emitter there
// is no copy, no allocation of memory and no lock that two flows share. Each packet is judged: the sender's channel or
// permission, the policy, the call, the receiver's permission, and the quotas of both.

import (
	"errors"
	"net/netip"
	"time"
)

// errNoSocket is why a payload does not go outside where nothing may.
var errNoSocket = errors.New("there is no socket for peers outside")

// emitter takes messages for clients. The message is its to keep until it flushes.
type emitter interface {
	emit(to *allocation, b []byte)
	counts() *traffic
}

// direct is the emitter that sends at once.
type direct struct{ server *Server }

func (d direct) emit(to *allocation, b []byte) { to.gate.transport.write(b, to.route()) }
func (d direct) counts() *traffic              { return &d.server.stats.traffic }

// handling is what has become of a message.
type handling uint8

const (
	handled  handling = iota // forwarded, or dropped and counted
	tooEarly                 // nothing is known that would let it pass; what is under way may change that
	forGate                  // not to be forwarded here
)

// fromClient forwards a message of a's client that begins behind the headroom of buf, if it is ChannelData or an ordinary
// Send indication. a may be nil. The message may be changed.
func (s *Server) fromClient(a *allocation, buf []byte, now int64, e emitter) (handling, drop) {
	b := buf[headroom:]
	if a != nil && a.over.Load() {
		a = nil
	}
	if isChannel(b[0]) {
		number, n := channelHeader(b)
		if !validChannel(number) || 4+n > len(b) || len(b) > 4+n+3 {
			s.stats.drop(dropLength)
			return handled, dropLength
		}
		var bound *binding
		if a != nil {
			bound = a.channel(number, now)
		}
		if bound == nil {
			return tooEarly, dropUnknownChannel
		}
		s.toPeer(a, &bound.destination, buf, headroom+4, n, now, e, pathFast)
		return handled, passed
	}
	asked, ok := parseSend(b)
	switch {
	case !ok:
		return forGate, passed
	case a == nil:
		return tooEarly, dropNoAllocation
	case !a.permitted(asked.peer.Addr(), now):
		return tooEarly, dropNoPermission
	}
	d := a.destination(asked.peer, now)
	s.toPeer(a, d, buf, headroom+asked.at, asked.n, now, e, pathFast)
	d.release()
	return handled, passed
}

// toPeer forwards the n bytes of payload that a's client has sent.
func (s *Server) toPeer(a *allocation, d *destination, buf []byte, at, n int, now int64, e emitter, way path) {
	if last := a.lastSent.Load(); last == 0 || now-last > int64(time.Second) { // seconds are enough, and a write is dear
		a.lastSent.Store(now)
	}
	may := a.accessThrough(d)
	switch {
	case n > maxPacket:
		s.stats.drop(dropOversize)
		return
	case !may.any() || may.relay && s.nested(buf[at:at+n]):
		s.stats.drop(dropForbidden)
		return
	case !s.quotas.pass(a, n, now):
		s.stats.drop(dropOverQuota)
		return
	}
	a.up.add(n)
	if may.memory {
		if to := s.target(d); to != nil {
			s.handOver(a, d, to, buf, at, n, now, e, way)
			return
		}
	}
	var err error = errNoSocket
	if socket := a.socket.Load(); socket != nil && may.outside {
		err = (*socket).send(buf[at:at+n], d.peer)
	}
	if err != nil {
		s.stats.lose(err)
		return
	}
	e.counts().up[way.outside()].add(n)
}

// handOver gives the client of to a payload from the client of a.
func (s *Server) handOver(a *allocation, d *destination, to *allocation, buf []byte, at, n int, now int64, e emitter, way path) {
	switch {
	case !a.mayExchange(to):
		s.stats.drop(dropForbidden)
		return
	case !to.permitted(a.relay.Addr(), now):
		s.stats.drop(dropNoPermission)
		return
	}
	e.counts().up[way].add(n)
	s.toClient(to, d.channelBack(a, to, now), a.relay, buf, at, n, now, e, way)
}

// fromPeer forwards what a peer outside has sent to a's socket: all that is behind the headroom of buf.
func (s *Server) fromPeer(a *allocation, buf []byte, from netip.AddrPort, now int64, e emitter) {
	n := len(buf) - headroom
	switch {
	case a.over.Load():
		return
	case n > maxPacket:
		s.stats.drop(dropOversize)
		return
	case !a.permitted(from.Addr(), now):
		s.stats.drop(dropNoPermission)
		return
	}
	d := a.destination(from, now)
	may := a.accessThrough(d)
	d.release()
	if !may.outside {
		s.stats.drop(dropForbidden)
		return
	}
	s.toClient(a, a.channelTo(from, now), from, buf, headroom, n, now, e, pathSocket)
}

// toClient gives a's client a payload: on the channel that it has bound to its sender, else as a Data indication (RFC 8656
// section 11.3).
func (s *Server) toClient(a *allocation, bound *binding, from netip.AddrPort, buf []byte, at, n int, now int64, e emitter, way path) {
	if !s.quotas.pass(a, n, now) {
		s.stats.drop(dropOverQuota)
		return
	}
	a.down.add(n)
	e.counts().down[way].add(n)
	if bound != nil {
		e.emit(a, channelMessage(buf, at, n, bound.number))
		return
	}
	e.emit(a, dataIndication(buf, at, n, from))
}

// fromAuthority forwards a payload that the authority has taken out of a Send indication.
func (a *allocation) fromAuthority(b []byte, peer netip.AddrPort) {
	s, now := a.gate.server, a.gate.server.clock()
	if len(b) > maxPacket {
		s.stats.drop(dropOversize)
		return
	}
	p := packets.Get().(*packet)
	defer packets.Put(p)
	n := copy(p.buf[headroom:], b)
	d := a.destination(peer, now)
	s.toPeer(a, d, p.buf[:], headroom, n, now, direct{s}, pathLibrary)
	d.release()
}
