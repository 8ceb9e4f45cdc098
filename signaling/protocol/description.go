package protocol

// This file reads what browsers say of a connection: descriptions and
// candidate lines, which are forwarded as text but for the addresses in them.

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
)

// Addresses is what candidate lines show of their sender.
type Addresses struct {
	IPs    []string // for TURN's policy
	Any    bool     // there are candidates at all, be they without addresses
	Public Families // in which a server saw it come from a public address
}

// Families are IP versions.
type Families uint8

const (
	IP4 Families = 1 << iota
	IP6
)

var carrierNAT = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598: a carrier's own addresses

// PublicFamily is the family of an address that is reached from everywhere, else none.
func PublicFamily(a netip.Addr) Families {
	a = a.Unmap()
	switch {
	case !a.IsGlobalUnicast() || a.IsPrivate() || carrierNAT.Contains(a):
		return 0
	case a.Is4():
		return IP4
	}
	return IP6
}

// note takes in one candidate line.
func (a *Addresses) note(line []byte) {
	ip, kind := candidateAddress(line)
	a.Any = a.Any || len(line) > 0
	if !ip.IsValid() {
		return
	}
	if string(kind) == "srflx" || string(kind) == "prflx" {
		a.Public |= PublicFamily(ip)
	}
	if text := ip.String(); len(a.IPs) < maxAddresses && !slices.Contains(a.IPs, text) {
		a.IPs = append(a.IPs, text)
	}
}

// description reads an RTCSessionDescriptionInit and returns it with nothing
// but its own members, the SDP decoded, and the addresses of its candidates.
func (f Fields) description(key string, types ...string) (init []byte, sdp string, at Addresses, r Refusal) {
	raw := f.get(key)
	if raw == nil || raw[0] != '{' {
		return nil, "", at, BadMessage.Because(key + " must be an RTCSessionDescriptionInit")
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
		return nil, "", at, BadMessage.Because(key + ".type must be " + strings.Join(types, " or "))
	case !isString:
		return nil, "", at, BadMessage.Because(key + ".sdp must be a string")
	case len(sdp) > maxSDP:
		return nil, "", at, TooLarge.Because("the SDP is longer than 64 KiB")
	}
	media := 0
	for line := range strings.SplitSeq(sdp, "\n") {
		line = strings.TrimRight(line, "\r")
		switch {
		case strings.HasPrefix(line, "m="):
			if media++; media > maxMediaLines {
				return nil, "", at, TooLarge.Because("the SDP has more than 64 media sections")
			}
		case strings.HasPrefix(line, "a=candidate:"):
			at.note([]byte(line[2:]))
		}
	}
	if !pure {
		o := append(make(Object, 0, len(raw)), '{').Str("type", typ).Raw("sdp", rawSDP)
		raw = append(o, '}')
	}
	return raw, sdp, at, OK
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
