package signaling

// This file reads what clients report of their media.

import (
	"slices"
	"strings"
)

func validPath(path string) bool { return path == "direct" || path == "turn" || path == "relay" }

func (f fields) mediaConnected(a about) (any, refusal) {
	m := mediaConnectedRequest{about: a}
	var r refusal
	if m.Path, r = f.word("path"); r != ok {
		return nil, r
	}
	if !validPath(m.Path) {
		return nil, refBadMessage.because("path must be direct, turn or relay")
	}
	if m.CandidateType, r = f.word("candidateType"); r != ok {
		return nil, r
	}
	if m.Protocol, r = f.word("protocol"); r != ok {
		return nil, r
	}
	m.SetupMs, m.HasSetup, r = f.number("setupMs")
	return m, r
}

func (f fields) callStats(a about) (any, refusal) {
	m := callStatsRequest{about: a}
	var r refusal
	if m.Path, r = f.word("path"); r != ok {
		return nil, r
	}
	if m.Path != "" && !validPath(m.Path) {
		return nil, refBadMessage.because("path must be direct, turn or relay")
	}
	for key, to := range map[string]*float64{"rttMs": &m.RTTMs, "lossPct": &m.LossPct, "jitterMs": &m.JitterMs, "bitrateKbps": &m.BitrateKbps} {
		if *to, _, r = f.number(key); r != ok {
			return nil, r
		}
	}
	return m, ok
}

// diagnosis reads what a client saw of a call that does not connect. Words that
// nobody here knows are left out.
func (f fields) diagnosis(a about) (any, refusal) {
	m := diagnosisRequest{about: a}
	var r refusal
	for _, list := range []struct {
		key   string
		known []string
		to    *set
	}{
		{"candidates", candidateKinds[:], &m.Candidates}, {"protocols", protocols[:], &m.Protocols},
		{"families", familyNames[:], &m.Families}, {"theirFamilies", familyNames[:], &m.TheirFamilies},
	} {
		r := f.list(list.key, func(value []byte) refusal {
			word, isString := unquote(value)
			if !isString || len(word) > maxField {
				return refBadMessage.because(list.key + " must be short words")
			}
			if i := slices.Index(list.known, word); i >= 0 {
				*list.to |= 1 << i
			}
			return ok
		})
		if r != ok {
			return nil, r
		}
	}
	if m.Answered, _, r = f.boolean("answered"); r != ok {
		return nil, r
	}
	r = f.list("blocked", func(value []byte) refusal {
		if value[0] != '{' {
			return refBadMessage.because("blocked must be a list of objects")
		}
		var inner fields
		members(value, func(key, value []byte) bool {
			inner = append(inner, member{key, value})
			return len(inner) < maxListed
		})
		url, _, r := inner.text("url")
		code, valid := counter(inner.get("code"))
		switch {
		case r != ok:
			return r
		case len(url) > maxURL || !valid || code > 999:
			return refBadMessage.because("blocked must have short URLs and STUN error codes")
		}
		if by := serverKind(url); by >= 0 {
			m.Blocked = append(m.Blocked, blocked{by, int(code)})
		}
		return ok
	})
	if r != ok {
		return nil, r
	}
	m.Relay, r = f.word("relay")
	if r == ok && !slices.Contains(relayFates[:], m.Relay) {
		r = refBadMessage.because("relay must be refused, silent, connected or empty")
	}
	return m, r
}

const (
	maxListed = 16
	maxURL    = 512 // of a STUN or TURN server
)

// list reads an optional short list.
func (f fields) list(key string, each func(value []byte) refusal) (r refusal) {
	raw := f.get(key)
	if raw == nil || isNull(raw) {
		return ok
	}
	if raw[0] != '[' {
		return refBadMessage.because(key + " must be a list")
	}
	n := 0
	elements(raw, func(value []byte) bool {
		if n++; n > maxListed {
			r = refTooLarge.because(key + " is too long")
		} else {
			r = each(value)
		}
		return r == ok
	})
	return r
}

// serverKind tells what kind of server a URL names, as an index of serverKinds, or -1.
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
