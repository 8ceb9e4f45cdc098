package protocol

// This file is diagnosis: what one end saw of a call that does not connect.

import (
	"fmt"
	"slices"
	"strings"
)

// DiagnosisRequest is the client's form. No text of it is kept: it is read into
// sets of what is known.
type DiagnosisRequest struct {
	CallRef
	Candidates    Set // of candidateKinds
	Protocols     Set
	Families      Set
	TheirFamilies Set
	Answered      bool
	Blocked       []Blocked
	Relay         string // "", refused, silent or connected
}

// Set has a bit for each word of a list.
type Set uint8

// Blocked is a server that did not serve a client.
type Blocked struct {
	By   int // of ServerKinds
	Code int // 701: no answer, else a STUN error code or NoCode
}

// NoCode stands for a STUN error code that a browser does not tell: Firefox's
// for every 5xx of TURN. Greater numbers are taken for it.
const NoCode = 65535

// The words of a diagnosis, in the order of their bits.
var (
	candidateKinds = [...]string{"host", "srflx", "prflx", "relay"}
	protocols      = [...]string{"udp", "tcp"}
	familyNames    = [...]string{"ip4", "ip6", "hidden"}
	relayFates     = [...]string{"", "refused", "silent", "connected"}
	ServerKinds    = [...]string{"stun", "turn-udp", "turn-tcp", "turn-tls"}
)

const (
	maxListed = 16
	maxURL    = 512 // of a STUN or TURN server
)

// decodeDiagnosis leaves out words that nobody here knows.
func decodeDiagnosis(f Fields) (Request, Refusal) {
	ref, r := f.callRef()
	if r != OK {
		return nil, r
	}
	m := DiagnosisRequest{CallRef: ref}
	for _, list := range []struct {
		key   string
		known []string
		to    *Set
	}{
		{"candidates", candidateKinds[:], &m.Candidates}, {"protocols", protocols[:], &m.Protocols},
		{"families", familyNames[:], &m.Families}, {"theirFamilies", familyNames[:], &m.TheirFamilies},
	} {
		r := f.list(list.key, func(value []byte) Refusal {
			word, isString := unquote(value)
			if !isString || len(word) > maxField {
				return BadMessage.Because(list.key + " must be short words")
			}
			if i := slices.Index(list.known, word); i >= 0 {
				*list.to |= 1 << i
			}
			return OK
		})
		if r != OK {
			return nil, r
		}
	}
	if m.Answered, _, r = f.boolean("answered"); r != OK {
		return nil, r
	}
	r = f.list("blocked", func(value []byte) Refusal {
		if value[0] != '{' {
			return BadMessage.Because("blocked must be a list of objects")
		}
		var inner Fields
		members(value, func(key, value []byte) bool {
			inner = append(inner, Member{key: key, value: value})
			return len(inner) < maxListed
		})
		url, _, r := inner.text("url")
		code, valid := counter(inner.get("code"))
		switch {
		case r != OK:
			return r
		case len(url) > maxURL || !valid:
			return BadMessage.Because("blocked must have short URLs and codes")
		}
		if by := serverKind(url); by >= 0 {
			m.Blocked = append(m.Blocked, Blocked{by, int(min(code, NoCode))})
		}
		return OK
	})
	if r != OK {
		return nil, r
	}
	m.Relay, r = f.word("relay")
	if r == OK && !slices.Contains(relayFates[:], m.Relay) {
		r = BadMessage.Because("relay must be refused, silent, connected or empty")
	}
	return m, r
}

// list reads an optional short list.
func (f Fields) list(key string, each func(value []byte) Refusal) (r Refusal) {
	raw := f.get(key)
	if raw == nil || isNull(raw) {
		return OK
	}
	if raw[0] != '[' {
		return BadMessage.Because(key + " must be a list")
	}
	n := 0
	elements(raw, func(value []byte) bool {
		if n++; n > maxListed {
			r = TooLarge.Because(key + " is too long")
		} else {
			r = each(value)
		}
		return r == OK
	})
	return r
}

// serverKind tells what kind of server a URL names, as an index of ServerKinds, or -1.
func serverKind(url string) int {
	scheme, rest, _ := strings.Cut(url, ":")
	switch {
	case scheme == "stun":
		return 0
	case scheme == "turn" && strings.HasSuffix(rest, "transport=tcp"):
		return 2
	case scheme == "turn":
		return 1
	case scheme == "turns":
		return 3
	}
	return -1
}

// String is a diagnosis for the log.
func (d *DiagnosisRequest) String() string {
	if d == nil {
		return "nothing told"
	}
	var b strings.Builder
	for _, list := range []struct {
		name  string
		words []string
		set   Set
	}{
		{"candidates", candidateKinds[:], d.Candidates}, {"protocols", protocols[:], d.Protocols},
		{"families", familyNames[:], d.Families}, {"theirs", familyNames[:], d.TheirFamilies},
	} {
		fmt.Fprintf(&b, "%s:", list.name)
		for i, word := range list.words {
			if list.set&(1<<i) != 0 {
				fmt.Fprintf(&b, "%s,", word)
			}
		}
		b.WriteByte(' ')
	}
	fmt.Fprintf(&b, "answered:%v relay:%s blocked:", d.Answered, d.Relay)
	for _, each := range d.Blocked {
		fmt.Fprintf(&b, "%s=%d,", ServerKinds[each.By], each.Code)
	}
	return b.String()
}
