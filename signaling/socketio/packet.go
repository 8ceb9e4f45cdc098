package socketio

// This file reads and writes packets: Engine.IO's, which are a digit and the rest, and Socket.IO's inside them.

import (
	"bytes"
	"strconv"

	"duet/internal/jsonscan"
)

// Engine.IO packet types.
const (
	engineOpen    = '0'
	engineClose   = '1'
	enginePing    = '2'
	enginePong    = '3'
	engineMessage = '4'
	engineUpgrade = '5'
	engineNoop    = '6'
)

// Socket.IO packet types.
const (
	typeConnect      = '0'
	typeDisconnect   = '1'
	typeEvent        = '2'
	typeAck          = '3'
	typeConnectError = '4'
	typeBinaryEvent  = '5'
	typeBinaryAck    = '6'
)

const (
	maxAttachments = 10
	maxSpace       = 128 // bytes of a namespace's name
	maxID          = 16  // digits: JavaScript counts no further
)

// Packet is something that waits to be sent.
type Packet struct {
	// Event is a JSON object that begins with {"type":"name"; it goes out as an event of that name whose argument is the
	// rest of the object. It is not changed any more, so many connections may send it.
	Event []byte
	// Tail follows Event as if it were its end.
	Tail []byte
	// Seq, unless 0, is the event's number. It goes out as the offset of connection state recovery, and comes back in
	// App.Acknowledged.
	Seq uint64
	// Latest says that an older Latest packet that still waits is replaced by this one.
	Latest bool
	// Cost is what the packet counts for the bound in bytes.
	Cost int
	// Mark, unless "", is told to App.Written when the packet has been handed over to the network.
	Mark string

	raw []byte // in place of Event: the whole packet
}

// Message is a packet of Socket.IO, without Engine.IO's digit.
func Message(parts ...string) Packet {
	raw := []byte{engineMessage}
	for _, p := range parts {
		raw = append(raw, p...)
	}
	return Packet{raw: raw, Cost: len(raw)}
}

func engine(typ byte, data string) Packet {
	return Packet{raw: append([]byte{typ}, data...)}
}

// Data is the event or the whole packet; Append tells them apart, as an event begins with a brace.
func (p *Packet) Data() []byte {
	if p.Event != nil {
		return p.Event
	}
	return p.raw
}

const typeKey = `{"type":`

// Encode says what a packet's Data becomes on a WebSocket: around[:cut], then inner, which is part of data, and then
// around[cut:]. around is appended to b. So an event that many get is renamed without a copy of it, and never decoded.
func Encode(b, data, tail []byte, seq uint64) (around []byte, cut int, inner []byte) {
	if len(data) == 0 || data[0] != '{' {
		return append(b, tail...), len(b), data
	}
	name := data[len(typeKey):]
	end := bytes.IndexByte(name[1:], '"') + 2
	inner = name[end:]
	if len(inner) > 0 && inner[0] == ',' {
		inner = inner[1:]
	}
	b = append(b, engineMessage, typeEvent, '[')
	b = append(b, name[:end]...)
	b = append(b, ',', '{')
	cut = len(b)
	b = append(b, tail...)
	if seq > 0 {
		b = append(b, ',', '"')
		b = strconv.AppendUint(b, seq, 10)
		b = append(b, '"')
	}
	return append(b, ']'), cut, inner
}

// Append writes what [Encode] says.
func Append(b, data, tail []byte, seq uint64) []byte {
	var room [128]byte
	around, cut, inner := Encode(room[:0], data, tail, seq)
	b = append(b, around[:cut]...)
	b = append(b, inner...)
	return append(b, around[cut:]...)
}

// message is a Socket.IO packet as it came; its slices alias the frame.
type message struct {
	typ         byte
	attachments int
	space       []byte
	id          []byte // digits; nil: none
	data        []byte // JSON, or nothing
}

var rootSpace = []byte("/")

// decode splits a Socket.IO packet; what is in data has yet to be checked.
func decode(b []byte) (m message, ok bool) {
	if len(b) == 0 || b[0] < typeConnect || b[0] > typeBinaryAck {
		return m, false
	}
	m.typ, m.space = b[0], rootSpace
	b = b[1:]
	if m.typ == typeBinaryEvent || m.typ == typeBinaryAck {
		n := digits(b)
		if n == 0 || n > 2 || n == len(b) || b[n] != '-' {
			return m, false
		}
		m.attachments, _ = strconv.Atoi(string(b[:n]))
		if m.attachments < 1 || m.attachments > maxAttachments {
			return m, false
		}
		b = b[n+1:]
	}
	if len(b) > 0 && b[0] == '/' {
		m.space, b, _ = bytes.Cut(b, []byte{','})
		if len(m.space) > maxSpace {
			return m, false
		}
	}
	if n := digits(b); n > maxID {
		return m, false
	} else if n > 0 {
		m.id, b = b[:n], b[n:]
	}
	m.data = b
	return m, true
}

func digits(b []byte) int {
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	return n
}

// reserved are the names that a client may not use for its events: they would look like the library's own.
var reserved = [...]string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}

// split takes the valid JSON of an event apart: its name and what begins with its first argument, nil when there is none.
func split(array []byte) (name, rest []byte, ok bool) {
	i := jsonscan.Space(array, 0)
	if i == len(array) || array[i] != '[' {
		return nil, nil, false
	}
	i = jsonscan.Space(array, i+1)
	end := jsonscan.Value(array, i)
	name = array[i:end]
	switch {
	case len(name) > 1 && name[0] == '"':
		for _, r := range reserved {
			if string(name[1:len(name)-1]) == r {
				return nil, nil, false
			}
		}
	case len(name) == 0 || name[0] != '-' && (name[0] < '0' || name[0] > '9'):
		return nil, nil, false
	}
	if i = jsonscan.Space(array, end); array[i] == ',' {
		rest = array[jsonscan.Space(array, i+1):]
	}
	return name, rest, true
}
