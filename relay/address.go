package relay

// Which addresses of this machine clients are told, and how they change while the server runs.

import (
	"net/netip"
	"slices"
)

// SetPublicIPs says that this machine is now reached at other addresses: answers from now on carry those. Where
// Config.PublicIP names addresses, those stay, and so does what there is when nothing takes its place. An address of a family
// that was not announced at the start waits for the next one: pion's muxes are made for the families that there were.
func (s *Server) SetPublicIPs(found []netip.Addr) {
	if s.cfg.Mode == Off {
		return
	}
	configured, _ := parseIPs(s.cfg.PublicIP)
	for {
		before := s.ips.Load()
		now := slices.DeleteFunc(slices.Clone(announced(s.bound, configured, found)), func(ip netip.Addr) bool {
			return !slices.ContainsFunc(s.families, func(is6 bool) bool { return is6 == ip.Is6() })
		})
		if len(found) == 0 || len(now) == 0 || slices.Equal(*before, now) {
			return
		}
		if s.ips.CompareAndSwap(before, &now) {
			s.log.Info("relay announces other addresses", "now", now, "before", *before)
			return
		}
	}
}

// Reachable are the addresses over UDP that clients are told.
func (s *Server) Reachable() []netip.AddrPort {
	var at []netip.AddrPort
	for _, ip := range s.Announced() {
		at = append(at, netip.AddrPortFrom(ip, s.port))
	}
	return at
}

// Announced are the addresses that answers carry.
func (s *Server) Announced() []netip.Addr {
	if ips := s.ips.Load(); ips != nil {
		return slices.Clone(*ips)
	}
	return nil
}
