package join

// This file says which address a client has.

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ClientIP is the address of the client: the connection's, or what trusted
// proxies say it is. Each proxy appends the address it saw, so the list is read
// from its end for as long as it names proxies of ours.
func ClientIP(r *http.Request, trusted []netip.Prefix) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.IPv4Unspecified()
	}
	ip := ap.Addr().Unmap().WithZone("")
	if len(trusted) == 0 || !contains(trusted, ip) {
		return ip
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			if ap, perr := netip.ParseAddrPort(strings.TrimSpace(hops[i])); perr == nil {
				hop, err = ap.Addr(), nil
			}
		}
		if err != nil {
			break
		}
		ip = hop.Unmap().WithZone("")
		if !contains(trusted, ip) {
			break
		}
	}
	return ip
}

func contains(list []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(ip) })
}
