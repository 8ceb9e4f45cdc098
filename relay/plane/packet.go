package plane

// RTP headers: read in place, and rewritten in place.

import "encoding/binary"

// packet is where the parts of an RTP packet lie.
type packet struct {
	b       []byte
	extAt   int    // first byte of the extension elements
	extEnd  int    // their end; equal to extAt when there are none
	profile uint16 // of the extension
	payload int    // first byte of the payload
	end     int    // its end, before padding
}

// parse finds the parts of b. It accepts what RFC 3550 section 5.1 and RFC 8285 describe,
// with at most maxExtensions bytes of extensions.
func parse(b []byte) (packet, bool) {
	p := packet{b: b}
	if len(b) < 12 || b[0]>>6 != 2 {
		return p, false
	}
	at := 12 + 4*int(b[0]&0x0f)
	if at > len(b) {
		return p, false
	}
	p.extAt, p.extEnd = at, at
	if b[0]&0x10 != 0 {
		if at+4 > len(b) {
			return p, false
		}
		p.profile = binary.BigEndian.Uint16(b[at:])
		n := 4 * int(binary.BigEndian.Uint16(b[at+2:]))
		p.extAt, p.extEnd = at+4, at+4+n
		if p.extEnd > len(b) || n > maxExtensions {
			return p, false
		}
	}
	p.payload, p.end = p.extEnd, len(b)
	if b[0]&0x20 != 0 {
		pad := int(b[len(b)-1])
		if pad == 0 || p.payload+pad > len(b) {
			return p, false
		}
		p.end -= pad
	}
	return p, true
}

func (p packet) payloadType() uint8   { return p.b[1] & 0x7f }
func (p packet) sequence() uint16     { return binary.BigEndian.Uint16(p.b[2:]) }
func (p packet) timestamp() uint32    { return binary.BigEndian.Uint32(p.b[4:]) }
func (p packet) ssrc() uint32         { return binary.BigEndian.Uint32(p.b[8:]) }
func (p packet) setSequence(v uint16) { binary.BigEndian.PutUint16(p.b[2:], v) }
func (p packet) setTimestamp(v uint32) {
	binary.BigEndian.PutUint32(p.b[4:], v)
}
func (p packet) setSSRC(v uint32)       { binary.BigEndian.PutUint32(p.b[8:], v) }
func (p packet) setPayloadType(v uint8) { p.b[1] = p.b[1]&0x80 | v&0x7f }

// extensions calls f for each element with its id and its bytes (RFC 8285, both forms). f returns the id to write in its
// place; 0 removes the element, which becomes padding. An id that the form cannot hold removes it as well, and so does a
// place behind maxElements others.
func (p packet) extensions(f func(id uint8, value []byte) uint8) {
	b := p.b[p.extAt:p.extEnd]
	left := maxElements
	switch {
	case p.profile == 0xbede:
		for i := 0; i < len(b); {
			if b[i] == 0 {
				i++
				continue
			}
			id, n := b[i]>>4, int(b[i]&0x0f)+1
			if left--; left < 0 || id == 15 || i+1+n > len(b) {
				clear(b[i:]) // 15 ends the elements; what overruns them is no element
				return
			}
			if out := f(id, b[i+1:i+1+n]); out == 0 || out > 14 || id == 0 {
				clear(b[i : i+1+n])
			} else {
				b[i] = out<<4 | b[i]&0x0f
			}
			i += 1 + n
		}
	case p.profile&0xfff0 == 0x1000:
		for i := 0; i < len(b); {
			if b[i] == 0 {
				i++
				continue
			}
			if left--; left < 0 || i+2 > len(b) || i+2+int(b[i+1]) > len(b) {
				clear(b[i:])
				return
			}
			n := int(b[i+1])
			if out := f(b[i], b[i+2:i+2+n]); out == 0 {
				clear(b[i : i+2+n])
			} else {
				b[i] = out
			}
			i += 2 + n
		}
	}
}
