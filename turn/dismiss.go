package turn

// This file ends allocations from outside the library, which cannot be asked to: it is told what their clients would say.

import (
	"encoding/binary"
	"time"
)

// dismiss has the read loop make the library forget a.
func (f *front) dismiss(a *allocation) {
	f.mu.Lock()
	f.dismissed = append(f.dismissed, a)
	f.mu.Unlock()
	f.link.wake()
}

// dismissal is the next message about a dismissed allocation, nil if there is none: an unsigned Refresh, whose refusal
// brings a nonce, and then a signed one with lifetime 0. The library closes the allocation while it handles that.
func (f *front) dismissal() []byte {
	for f.leaving == nil || f.leaving.isClosed() || f.asked && len(f.nonce) == 0 {
		if f.asked = false; f.leaving != nil && !f.leaving.isClosed() {
			// The library ends it when its lifetime is over; asking on would be all that this loop does.
			f.server.log.Error("turn cannot end an allocation: no nonce from the library", "user", f.leaving.who.user)
		}
		if f.leaving = f.nextDismissed(); f.leaving == nil {
			return nil
		}
	}
	r, a := &f.req, f.leaving
	*r = request{
		message: message{peers: r.peers, unknown: r.unknown, method: methodRefresh},
		from:    a.client, local: a.local, fromAddr: a.clientAddr, now: time.Now(), own: true,
	}
	b := appendHeader(f.scratch[:0], methodRefresh, classRequest)
	if len(f.nonce) > 0 {
		r.key = []byte("what goes to the library only needs no secret")
		b = appendAttribute(b, attrLifetime, make([]byte, 4))
		b = appendAttribute(b, attrUsername, []byte(a.who.user))
		b = appendAttribute(b, attrRealm, []byte(f.server.cfg.Realm))
		b = appendAttribute(b, attrNonce, f.nonce)
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize+24))
		b = appendAttribute(b, attrIntegrity, sign(b, r.key))
		f.nonce, f.leaving, f.asked = f.nonce[:0], nil, false
	} else {
		f.asked = true
	}
	f.scratch = b
	return b
}

func (f *front) nextDismissed() *allocation {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.dismissed) == 0 {
		f.dismissed = nil
		return nil
	}
	a := f.dismissed[0]
	f.dismissed = f.dismissed[1:]
	return a
}
