package protocol

// This file reads the fields that messages have in common. A null in place of an
// optional string is read as its absence.

import (
	"math"
	"strconv"
	"strings"
)

// MaxToken is the longest token of any kind, in bytes.
const MaxToken = 16 << 10

const (
	maxSDP        = 64 << 10
	maxMediaLines = 64
	maxCandidate  = 4 << 10
	maxWord       = 32
	maxField      = 256 // sdpMid, usernameFragment, path words
	maxAddresses  = 64  // of candidate lines in one SDP
	maxRefEcho    = 128
	maxSafe       = 1<<53 - 1 // the largest integer that JavaScript counts with
)

// Fields are the members of a message, as they stand in its frame. Those of an object among them follow it.
type Fields []Member

// Member is one of them, undecoded.
type Member struct {
	key, value []byte
	inner      int // how many members follow that are the value's
}

// get returns nil for a member that is not there.
func (f Fields) get(key string) []byte {
	raw, _ := f.object(key)
	return raw
}

// object is get with the members of an object.
func (f Fields) object(key string) (raw []byte, inner Fields) {
	for i := 0; i < len(f); i += 1 + f[i].inner {
		if string(f[i].key) == key {
			return f[i].value, f[i+1 : i+1+f[i].inner]
		}
	}
	return nil, nil
}

// text reads an optional string.
func (f Fields) text(key string) (s string, given bool, r Refusal) {
	raw := f.get(key)
	if raw == nil || isNull(raw) {
		return "", false, OK
	}
	s, isString := unquote(raw)
	if !isString {
		return "", false, BadMessage.Because(key + " must be a string")
	}
	return s, true, OK
}

// word reads an optional short string.
func (f Fields) word(key string) (string, Refusal) {
	s, _, r := f.text(key)
	if r == OK && len(s) > maxField {
		r = TooLarge.Because(key + " is too long")
	}
	return s, r
}

// token reads an optional word of the clients' own, which one may be shown for another: small letters, digits and hyphens.
func (f Fields) token(key string) (string, Refusal) {
	s, r := f.word(key)
	if r == OK && (len(s) > maxWord || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") != "") {
		r = BadMessage.Because(key + " must be a word")
	}
	return s, r
}

// number reads an optional finite number.
func (f Fields) number(key string) (n float64, given bool, r Refusal) {
	raw := f.get(key)
	if raw == nil || isNull(raw) {
		return 0, false, OK
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return 0, false, BadMessage.Because(key + " must be a number")
	}
	return n, true, OK
}

// boolean reads an optional boolean.
func (f Fields) boolean(key string) (on, given bool, r Refusal) {
	switch raw := f.get(key); string(raw) {
	case "true":
		return true, true, OK
	case "false":
		return false, true, OK
	default:
		if raw != nil {
			r = BadMessage.Because(key + " must be true or false")
		}
		return false, false, r
	}
}

// CallRef says which call a message means: both are optional.
type CallRef struct{ CallID, Target string }

// Ref makes every message with a CallRef an [AboutCall].
func (c CallRef) Ref() CallRef { return c }

// AboutCall is a message about a call that exists.
type AboutCall interface{ Ref() CallRef }

func (f Fields) callRef() (c CallRef, r Refusal) {
	if c.CallID, _, r = f.text("callId"); r == OK {
		c.Target, _, r = f.text("target")
	}
	return c, r
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
