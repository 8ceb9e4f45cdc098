package turn

// This file ends allocations from outside the library, which cannot be asked to: it is told what their clients would say.

import (
	"encoding/binary"
	"net"
)

// expire has the read loop make the library forget a.
func (l *library) expire(a *allocation) {
	l.mu.Lock()
	l.expired = append(l.expired, a)
	l.mu.Unlock()
	l.gate.transport.wake()
}

// nextEnd is the next message about an expired allocation, nil if there is none: an unsigned Refresh, whose refusal brings a
// nonce, and then a signed one with lifetime 0. The library closes the allocation while it handles that.
func (l *library) nextEnd() ([]byte, net.Addr) {
	for l.ending == nil || l.ending.isClosed() || l.asked && len(l.nonce) == 0 {
		if l.asked = false; l.ending != nil && !l.ending.isClosed() {
			// The library ends it when its lifetime is over; asking on would be all that this loop does.
			l.gate.server.log.Error("turn cannot end an allocation: no nonce from the library", "user", l.ending.who.user)
		}
		if l.ending = l.nextExpired(); l.ending == nil {
			return nil, nil
		}
	}
	l.request = nil
	from := net.UDPAddrFromAddrPort(l.ending.client)
	if len(l.nonce) == 0 {
		l.asked = true
		l.scratch = appendHeader(l.scratch[:0], methodRefresh, classRequest)
	} else {
		l.scratch = l.deleteMessage(l.scratch[:0], l.ending)
		l.nonce, l.ending, l.asked = l.nonce[:0], nil, false
	}
	return l.scratch, from
}

// ownKey signs what goes to the library only, which needs no secret.
func ownKey() []byte { return []byte("no secret") }

// deleteMessage is the Refresh with lifetime 0 that a client deletes its allocation with.
func (l *library) deleteMessage(b []byte, a *allocation) []byte {
	b = appendHeader(b, methodRefresh, classRequest)
	b = appendAttribute(b, attrLifetime, make([]byte, 4))
	b = appendAttribute(b, attrUsername, []byte(a.who.user))
	b = appendAttribute(b, attrRealm, []byte(l.gate.server.cfg.Realm))
	b = appendAttribute(b, attrNonce, l.nonce)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize+24))
	return appendAttribute(b, attrIntegrity, sign(b, ownKey()))
}

func (l *library) nextExpired() *allocation {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.expired) == 0 {
		l.expired = nil
		return nil
	}
	a := l.expired[0]
	l.expired = l.expired[1:]
	return a
}
