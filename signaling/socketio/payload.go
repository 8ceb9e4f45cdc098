package socketio

// This file is the body of a poll or a post, which holds several packets: in Engine.IO 4 with a separator between them,
// in Engine.IO 3 each after its length.

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

const separator = 0x1e

// each calls take for every packet of a body, until it says false. It reports whether the body was well-formed as far as
// it was read; an empty packet is left to take.
func each(v3 bool, body []byte, take func(packet []byte) bool) bool {
	for {
		var packet []byte
		more := false
		if v3 {
			var good bool
			if packet, body, good = counted(body); !good {
				return false
			}
			more = len(body) > 0
		} else {
			packet, body, more = bytes.Cut(body, []byte{separator})
		}
		if !take(packet) || !more {
			return true
		}
	}
}

// counted takes the first packet of an Engine.IO 3 body: its length in UTF-16 code units, a colon, the packet.
func counted(body []byte) (packet, rest []byte, ok bool) {
	n := digits(body)
	if n == 0 || n > 6 || n == len(body) || body[n] != ':' {
		return nil, nil, false
	}
	units, _ := strconv.Atoi(string(body[:n]))
	body = body[n+1:]
	i := 0
	for units > 0 && i < len(body) {
		size := 1
		if body[i] >= utf8.RuneSelf {
			var r rune
			r, size = utf8.DecodeRune(body[i:])
			if r > 0xffff {
				units-- // a surrogate pair
			}
		}
		units--
		i += size
	}
	return body[:i], body[i:], units == 0
}

// appendPacket adds a packet to a body.
func appendPacket(v3 bool, body []byte, p *Packet) []byte {
	if !v3 {
		if len(body) > 0 {
			body = append(body, separator)
		}
		return Append(body, p.Data(), p.Tail, p.Seq)
	}
	packet := Append(nil, p.Data(), p.Tail, p.Seq)
	units := 0
	for _, r := range string(packet) {
		if units++; r > 0xffff {
			units++
		}
	}
	body = strconv.AppendInt(body, int64(units), 10)
	return append(append(body, ':'), packet...)
}
