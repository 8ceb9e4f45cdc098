package turn

// This file reads STUN messages (RFC 8489) and the headers of ChannelData from raw bytes, and refuses what the library must
// never see.

import (
	"encoding/binary"
	"net/netip"
)

const (
	headerSize  = 20
	magicCookie = 0x2112A442

	maxAttributes = 64
)

const (
	methodBinding          = 0x001
	methodAllocate         = 0x003
	methodRefresh          = 0x004
	methodSend             = 0x006
	methodData             = 0x007
	methodCreatePermission = 0x008
	methodChannelBind      = 0x009

	classRequest    = 0x000
	classIndication = 0x010
	classSuccess    = 0x100
	classError      = 0x110
	classMask       = 0x110
)

const (
	protocolUDP = 17
	family4     = 1
	family6     = 2
)

const (
	attrUsername          = 0x0006
	attrIntegrity         = 0x0008
	attrErrorCode         = 0x0009
	attrUnknownAttributes = 0x000A
	attrChannelNumber     = 0x000C
	attrLifetime          = 0x000D
	attrXORPeerAddress    = 0x0012
	attrData              = 0x0013
	attrRealm             = 0x0014
	attrNonce             = 0x0015
	attrXORRelayedAddress = 0x0016
	attrRequestedFamily   = 0x0017
	attrEvenPort          = 0x0018
	attrRequestedTrans    = 0x0019
	attrDontFragment      = 0x001A
	attrXORMappedAddress  = 0x0020
	attrReservationToken  = 0x0022
	attrPriority          = 0x0024
	attrUseCandidate      = 0x0025
	attrFingerprint       = 0x8028
)

// message is a view of one STUN message; its slices point into the bytes that were parsed.
type message struct {
	raw    []byte
	method uint16
	class  uint16

	username, realm, nonce, data []byte
	integrity                    int // where the attribute begins in raw; 0: there is none
	lifetimeAt                   int // where the value begins in raw; 0: there is none
	lifetime                     uint32
	channel                      uint16
	transport, family, even      byte
	token                        []byte
	peers                        []netip.AddrPort
	unknown                      []uint16
	has                          uint32 // a bit for each singleton seen, see flag
}

// flags of message.has
const (
	hasUsername = 1 << iota
	hasRealm
	hasNonce
	hasData
	hasIntegrity
	hasLifetime
	hasChannel
	hasTransport
	hasFamily
	hasEvenPort
	hasReservation
	hasDontFragment
	hasFingerprint
)

func (m *message) carries(flag uint32) bool { return m.has&flag != 0 }

func (m *message) id() []byte { return m.raw[8:headerSize] }

// messageType packs a method and a class the way the first two bytes of a message hold them.
func messageType(method, class uint16) uint16 {
	return method&0x000F | method&0x0070<<1 | method&0x0F80<<2 | class
}

func splitType(t uint16) (method, class uint16) {
	return t&0x000F | t>>1&0x0070 | t>>2&0x0F80, t & classMask
}

// parse reads one message that fills b. What follows MESSAGE-INTEGRITY is not protected by it and therefore cut off.
func (m *message) parse(b []byte) drop {
	*m = message{peers: m.peers[:0], unknown: m.unknown[:0]}
	if len(b) < headerSize {
		return dropShort
	}
	if b[0] > 3 || binary.BigEndian.Uint32(b[4:]) != magicCookie {
		return dropNotSTUN
	}
	if n := int(binary.BigEndian.Uint16(b[2:])); n%4 != 0 || n+headerSize != len(b) {
		return dropLength
	}
	m.method, m.class = splitType(binary.BigEndian.Uint16(b))
	switch m.class {
	case classRequest:
		switch m.method {
		case methodBinding, methodAllocate, methodRefresh, methodCreatePermission, methodChannelBind:
		default:
			return dropMethod
		}
	case classIndication:
		switch m.method {
		case methodBinding, methodSend:
		default:
			return dropMethod
		}
	default:
		return dropClass
	}
	m.raw = b
	return m.attributes()
}

func (m *message) attributes() drop {
	b := m.raw
	count := 0
	for at := headerSize; at < len(b); {
		if len(b)-at < 4 {
			return dropAttribute
		}
		typ, n := binary.BigEndian.Uint16(b[at:]), int(binary.BigEndian.Uint16(b[at+2:]))
		end := at + 4 + (n+3)&^3
		if end > len(b) {
			return dropAttribute
		}
		if count++; count > maxAttributes {
			return dropCount
		}
		if !m.carries(hasIntegrity) || typ == attrFingerprint {
			if reason := m.attribute(typ, at, b[at+4:at+4+n]); reason != passed {
				return reason
			}
		}
		at = end
	}
	if m.integrity != 0 {
		m.raw = b[:m.integrity+24]
		binary.BigEndian.PutUint16(m.raw[2:], uint16(len(m.raw)-headerSize))
	}
	return passed
}

// sizes of the attributes that must have exactly one size, and the flag that says they were there.
var fixed = map[uint16]struct {
	size int
	flag uint32
}{
	attrIntegrity:        {20, hasIntegrity},
	attrChannelNumber:    {4, hasChannel},
	attrLifetime:         {4, hasLifetime},
	attrRequestedFamily:  {4, hasFamily},
	attrEvenPort:         {1, hasEvenPort},
	attrRequestedTrans:   {4, hasTransport},
	attrDontFragment:     {0, hasDontFragment},
	attrReservationToken: {8, hasReservation},
	attrFingerprint:      {4, hasFingerprint},
}

func (m *message) attribute(typ uint16, at int, v []byte) drop {
	if f, ok := fixed[typ]; ok {
		if len(v) != f.size {
			return dropAttribute
		}
		if reason := m.once(f.flag); reason != passed {
			return reason
		}
	}
	switch typ {
	case attrUsername:
		m.username = v
		return m.text(hasUsername, v, 513)
	case attrRealm:
		m.realm = v
		return m.text(hasRealm, v, 763)
	case attrNonce:
		m.nonce = v
		return m.text(hasNonce, v, 763)
	case attrData:
		m.data = v
		return m.once(hasData)
	case attrIntegrity:
		m.integrity = at
	case attrChannelNumber:
		m.channel = binary.BigEndian.Uint16(v)
	case attrLifetime:
		m.lifetime, m.lifetimeAt = binary.BigEndian.Uint32(v), at+4
	case attrRequestedFamily:
		m.family = v[0]
	case attrRequestedTrans:
		m.transport = v[0]
	case attrReservationToken:
		m.token = v
	case attrXORPeerAddress:
		peer, ok := xorAddress(v, m.id())
		if !ok {
			return dropAttribute
		}
		m.peers = append(m.peers, peer)
	case attrDontFragment:
		if m.method != methodSend { // there it is only a wish
			m.unknown = append(m.unknown, typ)
		}
	case attrEvenPort:
		m.even = v[0]
	case attrFingerprint:
		if at+8 != len(m.raw) {
			return dropAttribute // it comes last
		}
		if !rightFingerprint(m.raw, at) {
			return dropFingerprint
		}
	case attrPriority, attrUseCandidate, attrXORMappedAddress, attrXORRelayedAddress, attrErrorCode, attrUnknownAttributes:
		// Known to STUN and without meaning here: ICE checks that stray to this port carry them.
	default:
		if typ < 0x8000 && len(m.unknown) < 7 {
			m.unknown = append(m.unknown, typ)
		}
	}
	return passed
}

func (m *message) once(flag uint32) drop {
	if m.carries(flag) {
		return dropDuplicate
	}
	m.has |= flag
	return passed
}

func (m *message) text(flag uint32, v []byte, limit int) drop {
	if len(v) > limit {
		return dropAttribute
	}
	return m.once(flag)
}

// xorAddress reads the value of an XOR-…-ADDRESS attribute (RFC 8489 section 14.2).
func xorAddress(v, id []byte) (netip.AddrPort, bool) {
	if len(v) < 4 {
		return netip.AddrPort{}, false
	}
	port := binary.BigEndian.Uint16(v[2:]) ^ magicCookie>>16
	var pad [16]byte
	binary.BigEndian.PutUint32(pad[:], magicCookie)
	copy(pad[4:], id)
	switch {
	case v[1] == 1 && len(v) == 8:
		var a [4]byte
		for i := range a {
			a[i] = v[4+i] ^ pad[i]
		}
		return netip.AddrPortFrom(netip.AddrFrom4(a), port), true
	case v[1] == 2 && len(v) == 20:
		var a [16]byte
		for i := range a {
			a[i] = v[4+i] ^ pad[i]
		}
		return netip.AddrPortFrom(netip.AddrFrom16(a), port), true
	}
	return netip.AddrPort{}, false
}

// attributeOf finds an attribute in a message that the library built.
func attributeOf(b []byte, typ uint16) []byte {
	for at := headerSize; at+4 <= len(b); {
		t, n := binary.BigEndian.Uint16(b[at:]), int(binary.BigEndian.Uint16(b[at+2:]))
		if at+4+n > len(b) {
			return nil
		}
		if t == typ {
			return b[at+4 : at+4+n]
		}
		at += 4 + (n+3)&^3
	}
	return nil
}

// channelHeader reads the header of a ChannelData message (RFC 8656 section 12.4): the number and the payload's length.
func channelHeader(b []byte) (number uint16, length int) {
	return binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
}

// isChannel tells ChannelData by its first byte. RFC 5766 has numbers up to 0x7FFF; RFC 8656 leaves those from 0x5000 to
// other protocols, which do not come to this port, while clients made before it use them.
func isChannel(first byte) bool { return first&0xC0 == 0x40 }

func validChannel(number uint16) bool { return number >= 0x4000 && number <= 0x7FFF }
