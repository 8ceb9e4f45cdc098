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
	ip, text, kind := candidateAddress(line)
	a.Any = a.Any || len(line) > 0
	if !ip.IsValid() {
		return
	}
	if string(kind) == "srflx" || string(kind) == "prflx" {
		a.Public |= PublicFamily(ip)
	}
	if len(a.IPs) < maxAddresses && !slices.Contains(a.IPs, text) {
		a.IPs = append(a.IPs, text)
	}
}

// description reads an RTCSessionDescriptionInit and returns it with nothing but its own members, and the addresses of its
// candidates.
func (f Fields) description(key string, types ...string) (init []byte, at Addresses, r Refusal) {
	raw, inner := f.object(key)
	if raw == nil || raw[0] != '{' {
		return nil, at, BadMessage.Because(key + " must be an RTCSessionDescriptionInit")
	}
	typ, _ := unquoted(inner.get("type"))
	sdp := inner.get("sdp")
	if !slices.Contains(types, string(typ)) {
		return nil, at, BadMessage.Because(key + ".type must be " + strings.Join(types, " or "))
	}
	if len(sdp) == 0 || sdp[0] != '"' {
		return nil, at, BadMessage.Because(key + ".sdp must be a string")
	}
	media := 0
	length := lines(sdp, func(line []byte) {
		if bytes.HasPrefix(line, []byte("m=")) {
			media++
		} else if bytes.HasPrefix(line, []byte("a=candidate:")) {
			at.note(line[2:])
		}
	})
	switch {
	case length > maxSDP:
		return nil, at, TooLarge.Because("the SDP is longer than 64 KiB")
	case media > maxMediaLines:
		return nil, at, TooLarge.Because("the SDP has more than 64 media sections")
	}
	if len(inner) > 2 {
		o := append(make(Object, 0, len(raw)), '{').Str("type", string(typ)).Raw("sdp", sdp)
		raw = append(o, '}')
	}
	return raw, at, OK
}

// lines calls each for the lines of a JSON string, decoded and without their ends, and returns the length of all of them.
// Usual lines have no escapes but at their ends, and are taken where they lie.
func lines(raw []byte, each func(line []byte)) (length int) {
	if bytes.Contains(raw, []byte(`\u`)) { // which may be the end of a line
		all, _ := unquoted(raw)
		for line := range bytes.SplitSeq(all, []byte{'\n'}) {
			each(bytes.TrimRight(line, "\r"))
		}
		return len(all)
	}
	text := raw[1 : len(raw)-1]
	length = len(text)
	start, escaped := 0, false // the line has escapes that are not its end
	line := func(end int) {
		b := bytes.TrimSuffix(text[start:end], []byte(`\r`))
		if escaped {
			b, _ = unquoted([]byte(`"` + string(text[start:end]) + `"`))
			b = bytes.TrimRight(b, "\r")
		}
		each(b)
	}
	for i := 0; ; i += 2 {
		next := bytes.IndexByte(text[i:], '\\')
		if next < 0 {
			line(len(text))
			return length
		}
		i += next
		length--
		switch after := text[i+2:]; {
		case text[i+1] == 'n':
			line(i)
			start, escaped = i+2, false
		case text[i+1] != 'r' || len(after) > 0 && !bytes.HasPrefix(after, []byte(`\n`)):
			escaped = true
		}
	}
}

// candidateAddress reads the address and the type of an RFC 8839 candidate line;
// the address is not valid for a host name (mDNS) or anything else.
func candidateAddress(line []byte) (ip netip.Addr, text string, kind []byte) {
	line = bytes.TrimPrefix(line, []byte("a="))
	if !bytes.HasPrefix(line, []byte("candidate:")) {
		return ip, "", nil
	}
	for n, from := 0, 0; from < len(line); {
		end := from
		for end < len(line) && line[end] > ' ' {
			end++
		}
		field := line[from:end]
		if from = end + 1; len(field) == 0 {
			continue
		}
		switch n++; n {
		case 5:
			text = string(field)
			addr, err := netip.ParseAddr(text)
			if err != nil {
				return ip, "", nil
			}
			if ip = addr.Unmap().WithZone(""); !addr.Is4() { // which has one spelling
				text = ip.String()
			}
		case 8: // behind "typ"
			return ip, text, field
		}
	}
	return ip, text, nil
}
