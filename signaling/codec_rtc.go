package signaling

// This file reads what browsers say of a connection: descriptions and
// candidates, which are forwarded as text but for the addresses in them.

import (
	"bytes"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// addresses is what candidate lines show of their sender.
type addresses struct {
	ips    []string // for TURN's policy
	some   bool     // there are candidates at all, be they without addresses
	public families // in which a server saw it come from a public address
}

// families are IP versions.
type families uint8

const (
	ip4 families = 1 << iota
	ip6
)

var carrierNAT = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598: a carrier's own addresses

// publicFamily is the family of an address that is reached from everywhere, else none.
func publicFamily(a netip.Addr) families {
	a = a.Unmap()
	switch {
	case !a.IsGlobalUnicast() || a.IsPrivate() || carrierNAT.Contains(a):
		return 0
	case a.Is4():
		return ip4
	}
	return ip6
}

// note takes in one candidate line.
func (a *addresses) note(line []byte) {
	ip, kind := candidateAddress(line)
	a.some = a.some || len(line) > 0
	if !ip.IsValid() {
		return
	}
	if string(kind) == "srflx" || string(kind) == "prflx" {
		a.public |= publicFamily(ip)
	}
	if text := ip.String(); len(a.ips) < maxAddresses && !slices.Contains(a.ips, text) {
		a.ips = append(a.ips, text)
	}
}

// description reads an RTCSessionDescriptionInit and returns it with nothing
// but its own members, the SDP decoded, and the addresses of its candidates.
func (f fields) description(key string, types ...string) (init []byte, sdp string, at addresses, r refusal) {
	raw := f.get(key)
	if raw == nil || raw[0] != '{' {
		return nil, "", at, refBadMessage.because(key + " must be an RTCSessionDescriptionInit")
	}
	var typ string
	var rawSDP []byte
	isString, pure := false, true
	members(raw, func(name, value []byte) bool {
		switch string(name) {
		case "type":
			typ, _ = unquote(value)
		case "sdp":
			rawSDP = value
			sdp, isString = unquote(value)
		default:
			pure = false
		}
		return true
	})
	switch {
	case !slices.Contains(types, typ):
		return nil, "", at, refBadMessage.because(key + ".type must be " + strings.Join(types, " or "))
	case !isString:
		return nil, "", at, refBadMessage.because(key + ".sdp must be a string")
	case len(sdp) > maxSDP:
		return nil, "", at, refTooLarge.because("the SDP is longer than 64 KiB")
	}
	media := 0
	for line := range strings.SplitSeq(sdp, "\n") {
		line = strings.TrimRight(line, "\r")
		switch {
		case strings.HasPrefix(line, "m="):
			if media++; media > maxMediaLines {
				return nil, "", at, refTooLarge.because("the SDP has more than 64 media sections")
			}
		case strings.HasPrefix(line, "a=candidate:"):
			at.note([]byte(line[2:]))
		}
	}
	if !pure {
		o := append(make(object, 0, len(raw)), '{').str("type", typ).raw("sdp", rawSDP)
		raw = append(o, '}')
	}
	return raw, sdp, at, ok
}

// candidate reads an RTCIceCandidateInit or null.
func (f fields) candidate() (init []byte, at addresses, r refusal) {
	raw := f.get("candidate")
	switch {
	case raw == nil:
		return nil, at, refBadMessage.because("candidate is missing")
	case isNull(raw):
		return raw, at, ok
	case raw[0] != '{':
		return nil, at, refBadMessage.because("candidate must be an RTCIceCandidateInit or null")
	}
	pure := len(raw) <= maxCandidate // and not blown up with white space
	members(raw, func(name, value []byte) bool {
		switch key := string(name); key {
		case "candidate":
			line, isString := unquoted(value)
			if !isString {
				r = refBadMessage.because("candidate.candidate must be a string")
			} else if len(line) > maxCandidate {
				r = refTooLarge.because("the candidate line is longer than 4 KiB")
			}
			at.note(line)
		case "sdpMid", "usernameFragment":
			if s, isString := unquoted(value); !isString && !isNull(value) {
				r = refBadMessage.because("candidate." + key + " must be a string or null")
			} else if len(s) > maxField {
				r = refTooLarge.because("candidate." + key + " is too long")
			}
		case "sdpMLineIndex":
			if n, valid := counter(value); !isNull(value) && (!valid || n > math.MaxUint16) {
				r = refBadMessage.because("candidate.sdpMLineIndex must be a small whole number or null")
			}
		default:
			pure = false
		}
		return r == ok
	})
	if r == ok && !pure {
		raw = onlyCandidate(raw)
	}
	return raw, at, r
}

// onlyCandidate leaves out what an RTCIceCandidateInit does not have.
func onlyCandidate(raw []byte) []byte {
	o := append(make(object, 0, len(raw)), '{')
	members(raw, func(name, value []byte) bool {
		switch key := string(name); key {
		case "candidate", "sdpMid", "sdpMLineIndex", "usernameFragment":
			o = o.raw(key, value)
		}
		return true
	})
	return append(o, '}')
}

// candidateAddress reads the address and the type of an RFC 8839 candidate line;
// the address is not valid for a host name (mDNS) or anything else.
func candidateAddress(line []byte) (ip netip.Addr, kind []byte) {
	line = bytes.TrimPrefix(line, []byte("a="))
	if !bytes.HasPrefix(line, []byte("candidate:")) {
		return ip, nil
	}
	n := 0
	for field := range bytes.FieldsSeq(line) {
		switch n++; n {
		case 5:
			addr, err := netip.ParseAddr(string(field))
			if err != nil {
				return ip, nil
			}
			ip = addr.Unmap().WithZone("")
		case 8: // behind "typ"
			return ip, field
		}
	}
	return ip, nil
}
