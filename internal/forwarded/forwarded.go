// Package forwarded says what a request was before reverse proxies passed it on: whose it is, the host that was asked for,
// and whether it came over TLS. Only what proxies of ours say is believed, in the headers X-Forwarded-For, -Host and -Proto,
// or in Forwarded (RFC 7239) where there is none of those. A proxy that writes Forwarded has to take away X-Forwarded-For,
// as one that writes X-Forwarded-For need not do with Forwarded.
//
// Its type is [Proxies], a value: no goroutine, no lock.
package forwarded

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of the proxies that are believed.
type Proxies []netip.Prefix

// Parse reads networks such as 10.0.0.0/8.
func Parse(networks []string) (Proxies, error) {
	var all Proxies
	for _, n := range networks {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return nil, fmt.Errorf("%q is not a network such as 10.0.0.0/8", n)
		}
		all = append(all, p)
	}
	return all, nil
}

// Contain says whether ip is a proxy's.
func (p Proxies) Contain(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(p, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// Remote is the address at the other end of the request's connection, without a zone; 0.0.0.0 where there is none.
func Remote(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.IPv4Unspecified()
	}
	return ap.Addr().Unmap().WithZone("")
}

// Client is the address of the client: the connection's, or what proxies say it is. Each proxy appends the address it
// saw, so the list is read from its end for as long as it names proxies of ours.
func (p Proxies) Client(r *http.Request) netip.Addr {
	ip := Remote(r)
	if !p.Contain(ip) {
		return ip
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	if len(r.Header.Values("X-Forwarded-For")) == 0 {
		hops = parameters(r, "for")
	}
	for i := len(hops) - 1; i >= 0; i-- {
		hop, ok := node(strings.TrimSpace(hops[i]))
		if !ok {
			break
		}
		if ip = hop; !p.Contain(ip) {
			break
		}
	}
	return ip
}

// node reads an address with or without brackets and port.
func node(s string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		ap, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		ip = ap.Addr()
	}
	return ip.Unmap().WithZone(""), true
}

// Host is the host[:port] that the client asked for.
func (p Proxies) Host(r *http.Request) string {
	if host := p.said(r, "X-Forwarded-Host", "host"); host != "" {
		return host
	}
	return r.Host
}

// Secure says whether the client speaks TLS with a proxy.
func (p Proxies) Secure(r *http.Request) bool {
	return strings.EqualFold(p.said(r, "X-Forwarded-Proto", "proto"), "https")
}

// said is what the outermost proxy says in a header, or in the parameter of Forwarded.
func (p Proxies) said(r *http.Request, header, parameter string) string {
	if !p.Contain(Remote(r)) {
		return ""
	}
	first, _, _ := strings.Cut(r.Header.Get(header), ",")
	if first = strings.TrimSpace(first); first != "" {
		return first
	}
	for _, v := range parameters(r, parameter) {
		if v != "" {
			return v
		}
	}
	return ""
}

// parameters are the values of one parameter in the elements of Forwarded, one for each hop, "" where it is missing.
func parameters(r *http.Request, name string) []string {
	var all []string
	for _, element := range split(strings.Join(r.Header.Values("Forwarded"), ","), ',') {
		value := ""
		for _, pair := range split(element, ';') {
			if key, v, ok := strings.Cut(pair, "="); ok && strings.EqualFold(strings.TrimSpace(key), name) {
				value = unquote(strings.TrimSpace(v))
			}
		}
		all = append(all, value)
	}
	return all
}

// split cuts s at each separator that is not in quotes.
func split(s string, at byte) []string {
	var parts []string
	begin, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && s[i] == at:
			parts = append(parts, s[begin:i])
			begin = i + 1
		}
	}
	return append(parts, s[begin:])
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && i+1 < len(s)-1 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Hostname is host[:port] without the port, and an IPv6 address without its brackets.
func Hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
}
