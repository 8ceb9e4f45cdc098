package turn

// This file makes pion/turn the authority. It reads requests from a net.PacketConn and writes its answers there. What it
// cannot do or does wrongly is mended on the way in and out.

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	pion "github.com/pion/turn/v3"

	"duet/internal/lock"
)

// library is an authority, and the net.PacketConn of one server of pion's.
type library struct {
	gate *gate

	// Touched by the library's read loop alone.
	request *request    // being handled, until the next ReadFrom; nil: one of our own, see expire
	probed  *allocation // made for EVEN-PORT, not yet asked for by its number
	scratch []byte
	ending  *allocation // being expired
	nonce   []byte      // for that; empty: not known yet
	asked   bool        // for a nonce

	mu      lock.Mutex[lock.Leaf] // guards expired
	expired []*allocation
}

// newPion starts a server of the library's for g.
func newPion(g *gate) (authority, error) {
	l := &library{gate: g}
	_, err := pion.NewServer(pion.ServerConfig{
		Realm:              g.server.cfg.Realm,
		LoggerFactory:      discardLogger{},
		ChannelBindTimeout: g.server.limits.channelLifetime + g.server.limits.grace,
		AuthHandler:        l.key,
		PacketConnConfigs: []pion.PacketConnConfig{{
			PacketConn:            l,
			RelayAddressGenerator: generator{l},
			PermissionHandler:     l.mayReach,
		}},
	})
	return l, err
}

// ReadFrom gives the library what it is to see next. When it fails the library does not read again, but closes all
// allocations.
func (l *library) ReadFrom(b []byte) (int, net.Addr, error) {
	if l.probed != nil { // never the case with this library
		l.gate.abandon(l.probed)
		l.probed = nil
	}
	for {
		if message, from := l.nextEnd(); message != nil {
			return copy(b, message), from, nil
		}
		r, err := l.gate.next()
		if err != nil {
			return 0, nil, err
		}
		if r != nil {
			l.request = r
			return copy(b, l.shown(r)), net.UDPAddrFromAddrPort(r.from), nil
		}
	}
}

// shown is what the library sees of a request.
func (l *library) shown(r *request) []byte {
	if r.errand != answerIt {
		return l.challenged(r)
	}
	if r.lifetimeAt != 0 && binary.BigEndian.Uint32(r.raw[r.lifetimeAt:]) != r.lifetime {
		// The library would take any small number, and its timers would then race with requests.
		binary.BigEndian.PutUint32(r.raw[r.lifetimeAt:], r.lifetime)
		copy(r.raw[r.integrity+4:], sign(r.raw[:r.integrity], r.key))
	}
	return r.raw
}

// challenged makes the library demand credentials, with a fresh nonce: it gets a made-up Allocate, since only that is always
// answered, and amended puts the right method back.
func (l *library) challenged(r *request) []byte {
	b := append(l.scratch[:0], make([]byte, headerSize)...)
	binary.BigEndian.PutUint16(b, messageType(methodAllocate, classRequest))
	binary.BigEndian.PutUint32(b[4:], magicCookie)
	copy(b[8:], r.id())
	if r.errand == demandFreshNonce { // integrity with a nonce that is none
		b = appendAttribute(b, attrNonce, []byte("0"))
		b = appendAttribute(b, attrIntegrity, make([]byte, 20))
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize))
	l.scratch = b
	return b
}

// WriteTo takes the library's answer to the current request; it sends nothing else.
func (l *library) WriteTo(b []byte, _ net.Addr) (int, error) {
	if l.request == nil {
		l.nonce = append(l.nonce[:0], attributeOf(b, attrNonce)...)
	} else {
		l.gate.reply(l.amended(b))
	}
	return len(b), nil
}

// amended mends what the library's answer says wrongly, and tells the gate what it grants.
func (l *library) amended(b []byte) []byte {
	r := l.request
	if _, class := splitType(binary.BigEndian.Uint16(b)); class == classError {
		if r.errand != answerIt {
			binary.BigEndian.PutUint16(b, messageType(r.method, classError))
		}
		if nonce := attributeOf(b, attrNonce); nonce != nil {
			l.gate.server.nonces.bind(nonce, r.from)
			return b
		}
		code := codeBadRequest
		if v := attributeOf(b, attrErrorCode); len(v) >= 4 { // CreatePermission's refusals come without
			code = int(v[2])*100 + int(v[3])
		}
		return l.gate.rejection(code)
	}
	var what grant
	if v := attributeOf(b, attrLifetime); len(v) == 4 {
		what.lifetime = time.Duration(binary.BigEndian.Uint32(v)) * time.Second
	}
	what.token = string(attributeOf(b, attrReservationToken))
	l.gate.granted(what)
	return b
}

// key is the library's AuthHandler: the gate has already found the key.
func (l *library) key(string, string, net.Addr) ([]byte, bool) {
	if l.request == nil {
		return ownKey(), true
	}
	return l.request.key, l.request.key != nil
}

// mayReach is the library's PermissionHandler: the gate has already asked the policy, with the port where there is one.
func (l *library) mayReach(_ net.Addr, peer net.IP) bool {
	addr, ok := netip.AddrFromSlice(peer)
	return ok && l.gate.mayReach(addr)
}

// Close is called by the library's Close.
func (l *library) Close() error { return l.gate.transport.close() }

// LocalAddr is part of the library's key for an allocation.
func (l *library) LocalAddr() net.Addr { return l.gate.transport.local() }

// SetDeadline and its sisters are never called by the library.
func (l *library) SetDeadline(time.Time) error      { return nil }
func (l *library) SetReadDeadline(time.Time) error  { return nil }
func (l *library) SetWriteDeadline(time.Time) error { return nil }
