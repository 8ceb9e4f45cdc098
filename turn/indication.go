package turn

// This file is Send and Data indications (RFC 8656 section 11) where they lie: what a Send indication holds is found, and a
// header for the receiver written before it, without copying and without allocating memory.

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"net/netip"
)

// headroom is what is free before a message or a peer's datagram, so that its payload can get the longest header that there
// is: a Data indication's, with an IPv6 address. tailroom is what its padding may take.
const (
	headroom = headerSize + 4 + 20 + 4
	tailroom = 3
)

// isSend tells a Send indication by its first bytes.
func isSend(b []byte) bool {
	return len(b) >= headerSize && binary.BigEndian.Uint16(b) == messageType(methodSend, classIndication)
}

// send is what a Send indication asks for.
type send struct {
	peer  netip.AddrPort
	at, n int // where the payload is in the message
}

// parseSend reads a Send indication that holds what nearly all hold: one peer, data, and attributes that may be passed over,
// in any order. All others, among them those that ask for more (DONT-FRAGMENT) and broken ones, are left to [message.parse].
func parseSend(b []byte) (s send, ok bool) {
	if !isSend(b) || binary.BigEndian.Uint32(b[4:]) != magicCookie || len(b)%4 != 0 || int(binary.BigEndian.Uint16(b[2:])) != len(b)-headerSize {
		return s, false
	}
	count := 0
	for at := headerSize; at < len(b); {
		if len(b)-at < 4 {
			return s, false
		}
		typ, n := binary.BigEndian.Uint16(b[at:]), int(binary.BigEndian.Uint16(b[at+2:]))
		v := at + 4
		next := v + (n+3)&^3
		if count++; next > len(b) || count > maxAttributes {
			return s, false
		}
		switch {
		case typ == attrData && s.at == 0:
			s.at, s.n = v, n
		case typ == attrXORPeerAddress && !s.peer.IsValid():
			if s.peer, ok = xorAddress(b[v:v+n], b[8:headerSize]); !ok {
				return s, false
			}
		case typ == attrFingerprint:
			if n != 4 || next != len(b) || !rightFingerprint(b, at) {
				return s, false
			}
		case typ < 0x8000:
			return s, false
		}
		at = next
	}
	s.peer = netip.AddrPortFrom(canonical(s.peer.Addr()), s.peer.Port())
	return s, s.at != 0 && s.peer.IsValid()
}

// rightFingerprint checks the FINGERPRINT (RFC 8489 section 14.7) that begins at the given place and ends the message.
func rightFingerprint(b []byte, at int) bool {
	return binary.BigEndian.Uint32(b[at+4:]) == crc32.ChecksumIEEE(b[:at])^0x5354554e
}

// dataIndication writes the header of a Data indication before the n bytes of payload at the given place, and pads them.
func dataIndication(buf []byte, at, n int, from netip.AddrPort) []byte {
	addr := from.Addr()
	size := headerSize + 4 + 8 + 4
	if !addr.Is4() {
		size += 12
	}
	padded := (n + 3) &^ 3
	b := buf[at-size : at+padded]
	clear(b[size+n:])
	binary.BigEndian.PutUint16(b, messageType(methodData, classIndication))
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize))
	binary.BigEndian.PutUint32(b[4:], magicCookie)
	binary.BigEndian.PutUint64(b[8:], rand.Uint64())
	binary.BigEndian.PutUint32(b[16:], rand.Uint32())
	v := b[headerSize:]
	binary.BigEndian.PutUint16(v, attrXORPeerAddress)
	binary.BigEndian.PutUint16(v[6:], from.Port()^magicCookie>>16)
	if addr.Is4() {
		ip := addr.As4()
		binary.BigEndian.PutUint16(v[2:], 8)
		v[4], v[5] = 0, family4
		binary.BigEndian.PutUint32(v[8:], binary.BigEndian.Uint32(ip[:])^magicCookie)
	} else {
		ip := addr.As16()
		binary.BigEndian.PutUint16(v[2:], 20)
		v[4], v[5] = 0, family6
		for i := range ip {
			v[8+i] = ip[i] ^ b[4+i] // cookie and transaction
		}
	}
	v = b[size-4:]
	binary.BigEndian.PutUint16(v, attrData)
	binary.BigEndian.PutUint16(v[2:], uint16(n))
	return b
}

// channelMessage writes the header of a ChannelData message before a payload. Padding is the transport's.
func channelMessage(buf []byte, at, n int, number uint16) []byte {
	b := buf[at-4 : at+n]
	binary.BigEndian.PutUint16(b, number)
	binary.BigEndian.PutUint16(b[2:], uint16(n))
	return b
}
