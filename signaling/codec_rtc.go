package signaling

// This file reads what browsers say of a connection: descriptions and
// candidates, which are forwarded as text but for the addresses in them.

import (
	"math"
	"net/netip"
	"slices"
	"strings"
)

// description reads an RTCSessionDescriptionInit and returns it with nothing
// but its own members, the SDP decoded, and the addresses of its candidates.
func (f fields) description(key string, types ...string) (init []byte, sdp string, ips []string, r refusal) {
	raw := f.get(key)
	if raw == nil || raw[0] != '{' {
		return nil, "", nil, refBadMessage.because(key + " must be an RTCSessionDescriptionInit")
	}
	var typ string
	var rawSDP []byte
	isString := false
	members(raw, func(name, value []byte) bool {
		switch string(name) {
		case "type":
			typ, _ = unquote(value)
		case "sdp":
			rawSDP = value
			sdp, isString = unquote(value)
		}
		return true
	})
	allowed := false
	for _, t := range types {
		allowed = allowed || t == typ
	}
	switch {
	case !allowed:
		return nil, "", nil, refBadMessage.because(key + ".type must be " + strings.Join(types, " or "))
	case !isString:
		return nil, "", nil, refBadMessage.because(key + ".sdp must be a string")
	case len(sdp) > maxSDP:
		return nil, "", nil, refTooLarge.because("the SDP is longer than 64 KiB")
	}
	media := 0
	for line := range strings.SplitSeq(sdp, "\n") {
		line = strings.TrimRight(line, "\r")
		switch {
		case strings.HasPrefix(line, "m="):
			if media++; media > maxMediaLines {
				return nil, "", nil, refTooLarge.because("the SDP has more than 64 media sections")
			}
		case strings.HasPrefix(line, "a=candidate:"):
			if ip := candidateIP(line[2:]); ip != "" && len(ips) < maxAddresses && !slices.Contains(ips, ip) {
				ips = append(ips, ip)
			}
		}
	}
	o := append(make(object, 0, len(raw)+32), '{').str("type", typ).raw("sdp", rawSDP)
	return append(o, '}'), sdp, ips, ok
}

// candidate reads an RTCIceCandidateInit or null.
func (f fields) candidate() (init []byte, ip string, r refusal) {
	raw := f.get("candidate")
	switch {
	case raw == nil:
		return nil, "", refBadMessage.because("candidate is missing")
	case isNull(raw):
		return raw, "", ok
	case raw[0] != '{':
		return nil, "", refBadMessage.because("candidate must be an RTCIceCandidateInit or null")
	}
	o := append(make(object, 0, len(raw)+8), '{')
	members(raw, func(name, value []byte) bool {
		key := ""
		switch string(name) {
		case "candidate":
			key = "candidate"
			line, isString := unquote(value)
			if !isString {
				r = refBadMessage.because("candidate.candidate must be a string")
			} else if len(line) > maxCandidate {
				r = refTooLarge.because("the candidate line is longer than 4 KiB")
			}
			ip = candidateIP(line)
		case "sdpMid", "usernameFragment":
			if key = "sdpMid"; len(name) != len(key) {
				key = "usernameFragment"
			}
			if s, isString := unquote(value); !isString && !isNull(value) {
				r = refBadMessage.because("candidate." + key + " must be a string or null")
			} else if len(s) > maxField {
				r = refTooLarge.because("candidate." + key + " is too long")
			}
		case "sdpMLineIndex":
			key = "sdpMLineIndex"
			if n, valid := counter(value); !isNull(value) && (!valid || n > math.MaxUint16) {
				r = refBadMessage.because("candidate.sdpMLineIndex must be a small whole number or null")
			}
		default:
			return true
		}
		o = o.raw(key, value)
		return r == ok
	})
	return append(o, '}'), ip, r
}

// candidateIP reads the address of an RFC 8839 candidate line; "" for a host
// name (mDNS) or anything else.
func candidateIP(line string) string {
	line = strings.TrimPrefix(line, "a=")
	if !strings.HasPrefix(line, "candidate:") {
		return ""
	}
	n := 0
	for field := range strings.FieldsSeq(line) {
		if n++; n == 5 {
			addr, err := netip.ParseAddr(field)
			if err != nil {
				return ""
			}
			return addr.Unmap().WithZone("").String()
		}
	}
	return ""
}
