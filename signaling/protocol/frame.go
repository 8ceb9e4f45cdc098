package protocol

// This file takes a frame apart: what every message may carry, and its request.

// Header is what every message may carry.
type Header struct {
	Type   string
	Number int    // the place in [Table] of a type that clients send, else -1
	Ref    []byte // the raw ref, or else the raw seq, echoed in errors
	Seq    uint64 // 0: none
	Ack    uint64 // 0: none
	HasSeq bool
	BadSeq bool // a seq or ack that is no number
}

// Scope is that of the message's type, none for one that no client sends.
func (h *Header) Scope() Scope {
	if h.Number < 0 {
		return 0
	}
	return Table[h.Number].Scope
}

// Parse reads the header of a frame that is valid UTF-8; the rest is read by
// [Header.Decode]. Everything aliases the frame; into is room for its fields.
func Parse(frame []byte, into Fields) (Header, Fields, Refusal) {
	h := Header{Number: -1}
	into, valid := parseObject(frame, into)
	if !valid {
		return h, nil, BadJSON
	}
	var typ, ref, seq, ack []byte
	for i := 0; i < len(into); i += 1 + into[i].inner {
		switch m := &into[i]; string(m.key) {
		case "type":
			typ = m.value
		case "ref":
			ref = m.value
		case "seq":
			seq = m.value
		case "ack":
			ack = m.value
		}
	}
	h.Type, h.Number = typeName(typ)
	if h.Ref = echo(ref); h.Ref == nil {
		h.Ref = echo(seq)
	}
	h.HasSeq = seq != nil
	var seqOK, ackOK = true, true
	if seq != nil {
		h.Seq, seqOK = counter(seq)
		seqOK = seqOK && h.Seq > 0
	}
	if ack != nil {
		h.Ack, ackOK = counter(ack)
	}
	h.BadSeq = !seqOK || !ackOK
	if typ == nil || typ[0] != '"' {
		return h, into, BadMessage.Because("type must be a string")
	}
	return h, into, OK
}

// Decode reads the request of a frame that [Parse] has taken apart. It may alias
// the frame.
func (h *Header) Decode(f Fields) (Request, Refusal) {
	if h.Number < 0 {
		return nil, UnknownType
	}
	return Table[h.Number].Decode(f)
}

// typeName decodes a type. Those that clients send need no memory.
func typeName(raw []byte) (typ string, number int) {
	b, _ := unquoted(raw)
	if n := numberOf(b); n >= 0 {
		return Table[n].Type, n
	}
	return string(b), -1
}
