package turn

// This file is which addresses of this machine clients are told, and how they change while the server runs.

import (
	"net/netip"
	"slices"
)

// announced is never changed, only replaced.
type announced struct {
	now    []netip.Addr // of new allocations; at most one of each family counts
	former []netip.Addr // that some allocation still has
}

// first is the address of a family that new allocations have, or not valid.
func (a *announced) first(is6 bool) netip.Addr {
	for _, ip := range a.now {
		if ip.Is6() == is6 {
			return ip
		}
	}
	return netip.Addr{}
}

func (a *announced) contains(ip netip.Addr) bool {
	return slices.Contains(a.now, ip) || slices.Contains(a.former, ip)
}

// SetPublicIPs says that this machine is now reached at other addresses, which new allocations get. Where Config.PublicIP
// names addresses, those stay; so do they when there is none to take their place.
func (s *Server) SetPublicIPs(ips []netip.Addr) {
	var now []netip.Addr
	for _, ip := range ips {
		now = append(now, canonical(ip))
	}
	p := s.policy
	for {
		before := p.announced.Load()
		if s.fixedIPs || len(now) == 0 || slices.Equal(before.now, now) {
			return
		}
		after := &announced{now: now}
		for _, ip := range slices.Concat(before.now, before.former) {
			if !after.contains(ip) {
				after.former = append(after.former, ip)
			}
		}
		if p.announced.CompareAndSwap(before, after) {
			p.learnOwn()
			p.epoch.Add(1)
			s.log.Info("turn announces other addresses", "now", now, "before", before.now)
			return
		}
	}
}

// forgetFormer drops the addresses that no allocation has any more.
func (s *Server) forgetFormer() {
	p := s.policy
	before := p.announced.Load()
	if len(before.former) == 0 {
		return
	}
	used := s.relays.addresses()
	after := &announced{now: before.now}
	for _, ip := range before.former {
		if used[ip] {
			after.former = append(after.former, ip)
		}
	}
	if p.announced.CompareAndSwap(before, after) {
		p.epoch.Add(1)
	}
}

// relayIP is the announced address for REQUESTED-ADDRESS-FAMILY. Without one IPv4 is meant (RFC 8656 section 7.2), and IPv6
// on a machine that has nothing else: the error 440 would leave browsers, which never ask for a family, without TURN.
func (s *Server) relayIP(family byte) netip.Addr {
	a := s.policy.announced.Load()
	ip := a.first(family == family6)
	if family == 0 && !ip.IsValid() {
		return a.first(true)
	}
	return ip
}

// Announced are the addresses that allocations have, those of new ones first.
func (s *Server) Announced() []netip.Addr {
	a := s.policy.announced.Load()
	return slices.Concat(a.now, a.former)
}
