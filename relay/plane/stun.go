package plane

// The little of STUN that the loop must understand to know whose an address is. Everything else is pion's.

import (
	"bytes"
	"encoding/binary"
)

const (
	stunRequest = 0x0001 // Binding
	stunSuccess = 0x0101
)

// stunID is a transaction id.
type stunID [12]byte

// isSTUN reports whether b is a STUN message (RFC 8489, section 5).
func isSTUN(b []byte) bool {
	return len(b) >= 20 && b[0] < 4 && binary.BigEndian.Uint32(b[4:]) == 0x2112a442 &&
		len(b) == 20+int(binary.BigEndian.Uint16(b[2:]))
}

// bindingUser reads a Binding request's USERNAME up to the colon: our ufrag. The request is not verified; pion does that.
func bindingUser(b []byte) (ufrag []byte, ok bool) {
	if !isSTUN(b) || binary.BigEndian.Uint16(b) != stunRequest {
		return nil, false
	}
	for b = b[20:]; len(b) >= 4; {
		kind, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if 4+n > len(b) {
			return nil, false
		}
		if kind == 0x0006 {
			ufrag, _, ok = bytes.Cut(b[4:4+n], []byte(":"))
			return ufrag, ok
		}
		b = b[min(len(b), 4+(n+3)&^3):]
	}
	return nil, false
}

// nominates reports whether a request has a USE-CANDIDATE: the client means to use this pair of addresses.
func nominates(b []byte) bool {
	for b = b[20:]; len(b) >= 4; {
		if binary.BigEndian.Uint16(b) == 0x0025 {
			return true
		}
		b = b[min(len(b), 4+(int(binary.BigEndian.Uint16(b[2:]))+3)&^3):]
	}
	return false
}

func stunTransaction(b []byte) stunID { return stunID(b[8:20]) }
