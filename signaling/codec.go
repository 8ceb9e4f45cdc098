package signaling

// This file turns frames into messages and says what is refused on sight. A
// null in place of an optional string is read as its absence.

import (
	"math"
	"strconv"
	"unicode/utf8"
)

const (
	maxSDP        = 64 << 10
	maxMediaLines = 64
	maxCandidate  = 4 << 10
	maxField      = 256 // sdpMid, usernameFragment, path words
	maxToken      = 16 << 10
	maxAddresses  = 64 // of candidate lines in one SDP
	maxTypeEcho   = 64
	maxRefEcho    = 128
	maxSafe       = 1<<53 - 1 // the largest integer that JavaScript counts with
)

// fields are the members of a message.
type fields []member

type member struct{ key, value []byte }

// get returns nil for a member that is not there.
func (f fields) get(key string) []byte {
	for i := range f {
		if string(f[i].key) == key {
			return f[i].value
		}
	}
	return nil
}

// text reads an optional string.
func (f fields) text(key string) (s string, given bool, r refusal) {
	raw := f.get(key)
	if raw == nil || isNull(raw) {
		return "", false, ok
	}
	s, isString := unquote(raw)
	if !isString {
		return "", false, refBadMessage.because(key + " must be a string")
	}
	return s, true, ok
}

// word reads an optional short string.
func (f fields) word(key string) (string, refusal) {
	s, _, r := f.text(key)
	if r == ok && len(s) > maxField {
		r = refTooLarge.because(key + " is too long")
	}
	return s, r
}

// number reads an optional finite number.
func (f fields) number(key string) (n float64, given bool, r refusal) {
	raw := f.get(key)
	if raw == nil || isNull(raw) {
		return 0, false, ok
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return 0, false, refBadMessage.because(key + " must be a number")
	}
	return n, true, ok
}

// boolean reads an optional boolean.
func (f fields) boolean(key string) (on, given bool, r refusal) {
	switch raw := f.get(key); string(raw) {
	case "true":
		return true, true, ok
	case "false":
		return false, true, ok
	default:
		if raw != nil {
			r = refBadMessage.because(key + " must be true or false")
		}
		return false, false, r
	}
}

func (f fields) about() (a about, r refusal) {
	if a.CallID, _, r = f.text("callId"); r == ok {
		a.Target, _, r = f.text("target")
	}
	return a, r
}

// parse reads the header of a frame that is valid UTF-8; the fields are read by
// [fields.request]. Everything aliases the frame.
func parse(frame []byte, into fields) (header, fields, refusal) {
	h := header{number: -1}
	if !validObject(frame) {
		return h, nil, refBadJSON
	}
	members(frame, func(key, value []byte) bool {
		into = append(into, member{key, value})
		return true
	})
	h.Type, h.number = typeName(into.get("type"))
	h.Ref = echo(into.get("ref"))
	seq, ack := into.get("seq"), into.get("ack")
	if h.Ref == nil {
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
	h.badSeq = !seqOK || !ackOK
	if raw := into.get("type"); raw == nil || raw[0] != '"' {
		return h, into, refBadMessage.because("type must be a string")
	}
	return h, into, ok
}

// echo keeps what may be sent back: a short string or a number.
func echo(raw []byte) []byte {
	if len(raw) == 0 || len(raw) > maxRefEcho {
		return nil
	}
	if c := raw[0]; c == '"' || c == '-' || c >= '0' && c <= '9' {
		return raw
	}
	return nil
}

// counter reads a whole number from 0.
func counter(raw []byte) (uint64, bool) {
	n, err := strconv.ParseUint(string(raw), 10, 64)
	return n, err == nil && n <= maxSafe
}

// typeEcho is a message's type as it may be sent back.
func typeEcho(typ string) string {
	if len(typ) <= maxTypeEcho {
		return typ
	}
	n := 0
	for i := range typ {
		if n == maxTypeEcho {
			return typ[:i]
		}
		n++
	}
	return typ
}

// clientTypes are the types that clients send; a pong, which we never ask for, means nothing.
var clientTypes = [...]string{
	"join", "resume", "leave", "ping", "pong", "iceServers", "call", "callResponse", "offer", "answer", "iceCandidate",
	"mediaStateChange", "endCall", "mediaConnected", "callStats", "relayRequest", "relayStop", "diagnosis",
}

// typeName decodes a type. Those that clients send need no memory and have a
// number; it is -1 for others.
func typeName(raw []byte) (typ string, number int) {
	b, _ := unquoted(raw)
	for i, typ := range clientTypes {
		if string(b) == typ {
			return typ, i
		}
	}
	return string(b), -1
}

// request reads the message of a known type; join, resume and ping are read
// elsewhere, as they are not for somebody who has joined.
func (f fields) request(typ string) (any, refusal) {
	switch typ {
	case "leave":
		return leaveRequest{}, ok
	case "iceServers":
		return iceServersRequest{}, ok
	case "call":
		return f.placeCall()
	}
	a, r := f.about()
	if r != ok {
		return nil, r
	}
	switch typ {
	case "callResponse":
		accepted, given, r := f.boolean("accepted")
		if r == ok && !given {
			r = refBadMessage.because("accepted is missing")
		}
		return callResponseRequest{a, accepted}, r
	case "offer":
		raw, sdp, at, r := f.description("offer", "offer")
		return offerRequest{a, raw, sdp, at}, r
	case "answer":
		raw, _, at, r := f.description("answer", "answer", "pranswer")
		return answerRequest{a, raw, at}, r
	case "iceCandidate":
		raw, at, r := f.candidate()
		return iceCandidateRequest{a, raw, at}, r
	case "mediaStateChange":
		c, r := f.change()
		return mediaStateChangeRequest{a, c}, r
	case "endCall":
		return endCallRequest{a}, ok
	case "mediaConnected":
		return f.mediaConnected(a)
	case "callStats":
		return f.callStats(a)
	case "relayRequest":
		reason, r := f.word("reason")
		if r == ok && reason != "ice-failed" && reason != "ice-timeout" && reason != "user" {
			r = refBadMessage.because("reason must be ice-failed, ice-timeout or user")
		}
		return relayRequestRequest{a, reason}, r
	case "relayStop":
		return relayStopRequest{a}, ok
	case "diagnosis":
		return f.diagnosis(a)
	}
	return nil, refUnknownType
}

func (f fields) join() (j joinRequest, _ refusal) {
	raw := f.get("username")
	name, isString := unquote(raw)
	if !isString {
		return j, refBadMessage.because("username must be a string")
	}
	j.Username = name
	if token, isString := unquote(f.get("token")); isString && len(token) <= maxToken {
		j.Token = token
	}
	if raw := f.get("features"); raw != nil && !isNull(raw) {
		if raw[0] != '[' {
			return j, refBadMessage.because("features must be a list")
		}
		strs := true
		elements(raw, func(value []byte) bool {
			name, isString := unquote(value)
			strs = isString
			if isString && len(j.Features) < 64 {
				j.Features = append(j.Features, name)
			}
			return isString
		})
		if !strs {
			return j, refBadMessage.because("features must be strings")
		}
	}
	return j, ok
}

func (f fields) resume() (m resumeRequest, _ refusal) {
	token, isString := unquote(f.get("session"))
	if !isString {
		return m, refBadMessage.because("session must be a string")
	}
	m.Session = token
	if raw := f.get("ack"); raw != nil {
		n, valid := counter(raw)
		if !valid {
			return m, refBadMessage.because("ack must be a whole number")
		}
		m.Ack = n
	}
	return m, ok
}

func (f fields) placeCall() (any, refusal) {
	var m placeCallRequest
	var r refusal
	if m.Target, m.HasTarget, r = f.text("target"); r != ok {
		return nil, r
	}
	raw := f.get("media")
	if raw == nil || isNull(raw) {
		return m, ok
	}
	if raw[0] != '{' {
		return nil, refBadMessage.because("media must be an object")
	}
	var inner fields
	members(raw, func(key, value []byte) bool {
		if string(key) == "audio" || string(key) == "video" {
			inner = append(inner, member{key, value})
		}
		return true
	})
	o := object{'{'}
	for _, kind := range [...]string{"audio", "video"} {
		on, given, r := inner.boolean(kind)
		if r != ok {
			return nil, r
		}
		if given {
			o = o.bool(kind, on)
		}
	}
	m.Media = append(o, '}')
	return m, ok
}

// change reads both forms of mediaStateChange.
func (f fields) change() (c change, r refusal) {
	for i, kind := range kinds {
		on, given, r := f.boolean(kind)
		if r != ok {
			return c, r
		}
		c.named[i], *c.to.kind(i) = given, on
	}
	mediaType, given, r := f.text("mediaType")
	if r != ok {
		return c, r
	}
	enabled, hasEnabled, r := f.boolean("enabled")
	switch {
	case r != ok:
		return c, r
	case given != hasEnabled && (given || c.empty()):
		return c, refBadMessage.because("mediaType and enabled belong together")
	case given:
		i := -1
		for k, kind := range kinds {
			if kind == mediaType {
				i = k
			}
		}
		if i < 0 {
			return c, refBadMessage.because("mediaType must be audio, video or screen")
		}
		if c.named[i] && *c.to.kind(i) != enabled {
			return c, refBadMessage.because("the two forms of this change disagree")
		}
		c.named[i], *c.to.kind(i) = true, enabled
	case c.empty():
		return c, refBadMessage.because("no state is named")
	}
	return c, ok
}

// validText reports whether a text frame is UTF-8.
func validText(frame []byte) bool { return utf8.Valid(frame) }
