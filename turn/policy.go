package turn

// This file says which peers may be reached.

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// access is what may be done with packets for one peer address.
type access struct {
	memory  bool // to another allocation of this server, if there is one at that port
	outside bool // through a real socket
	relay   bool // which leads to the media relay of this process
}

func (v access) any() bool { return v.memory || v.outside }

// policy is fixed after New, but for the machine's own addresses, which are read again from time to time.
type policy struct {
	allow     atomic.Pointer[[]netip.Prefix]
	announced atomic.Pointer[announced]
	relay     atomic.Pointer[[]netip.AddrPort] // media relay
	listeners map[uint16]bool                  // UDP ports of our own
	none      bool                             // no relay ports: nothing outside can be reached
	own       atomic.Pointer[map[netip.Addr]bool]
	epoch     atomic.Uint64 // grows when an access may have changed; from 1
}

func newPolicy(allow []netip.Prefix, ips []netip.Addr, none bool) *policy {
	p := &policy{listeners: map[uint16]bool{}, none: none}
	p.announced.Store(&announced{now: ips})
	p.relay.Store(new([]netip.AddrPort))
	p.allow.Store(&allow)
	p.learnOwn()
	return p
}

// learnOwn reads the addresses of the interfaces; when that is refused, the ones known before stay.
func (p *policy) learnOwn() {
	addrs, err := net.InterfaceAddrs()
	if err != nil && p.own.Load() != nil {
		return
	}
	own := make(map[netip.Addr]bool, len(addrs))
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				own[ip.Unmap()] = true
			}
		}
	}
	if before := p.own.Load(); before == nil || !maps.Equal(*before, own) {
		p.own.Store(&own)
		p.epoch.Add(1)
	}
}

// never can be reached by nobody: multicast, broadcast, "this network", and IPv6 forms that hide an IPv4 address.
var never = mustPrefixes(
	"0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4",
	"::/128", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "ff00::/8",
)

// named can be reached only if the operator names a range inside them: 0.0.0.0/0 does not open these.
var named = mustPrefixes("127.0.0.0/8", "169.254.0.0/16", "168.63.129.16/32", "::/96", "fe80::/10", "fec0::/10")

// denied can be reached if the operator's ranges cover them.
var denied = mustPrefixes(
	"10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"2001::/23", "2001:db8::/32", "3fff::/20",
)

var globalUnicast6 = netip.MustParsePrefix("2000::/3")

func mustPrefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

func within(list []netip.Prefix, a netip.Addr) (netip.Prefix, bool) {
	for _, p := range list {
		if p.Contains(a) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// canonical is the one spelling of an address that maps and prefixes are compared with.
func canonical(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// accessTo says what may be done with packets for peer, whoever asks; port 0 stands for any port.
func (p *policy) accessTo(peer netip.AddrPort) (v access) {
	a := canonical(peer.Addr())
	v.memory = p.announced.Load().contains(a)
	v.relay = !p.none && slices.ContainsFunc(*p.relay.Load(), func(at netip.AddrPort) bool {
		return a == canonical(at.Addr()) && (peer.Port() == at.Port() || peer.Port() == 0)
	})
	v.outside = v.relay || !p.none && p.reachable(a, peer.Port())
	return v
}

func (p *policy) reachable(a netip.Addr, port uint16) bool {
	if _, ok := within(never, a); ok || !a.IsValid() {
		return false
	}
	own := p.isOwn(a)
	if own && p.listeners[port] {
		return false
	}
	special, isNamed := within(named, a)
	media := port == 0 || port >= 1024 || port == 443 // below are services that reflect, or that nobody else is to reach
	for _, allow := range *p.allow.Load() {
		switch alone := allow.IsSingleIP(); {
		case !allow.Contains(a), own && !alone && !a.IsLoopback():
		case isNamed && (special.Bits() > allow.Bits() || !special.Contains(allow.Addr())):
		case media || alone:
			return true
		}
	}
	if own || isNamed || a.Is6() && !globalUnicast6.Contains(a) {
		return false
	}
	if _, ok := within(denied, a); ok {
		return false
	}
	return media
}

func (p *policy) isOwn(a netip.Addr) bool {
	return a.IsLoopback() || (*p.own.Load())[a] || p.announced.Load().contains(a)
}

// accessTo says what may be done with packets for peer, now; port 0 stands for any.
func (a *allocation) accessTo(peer netip.AddrPort) access {
	return a.restrictToCall(a.gate.server.policy.accessTo(peer), canonical(peer.Addr()))
}

// restrictToCall takes from an access what the user's call does not allow.
func (a *allocation) restrictToCall(v access, peer netip.Addr) access {
	if a.member != nil {
		v.memory = v.memory && a.member.peer() != nil
		v.outside = v.outside && (a.member.reaches(peer) || v.relay && a.member.peer() != nil)
	}
	return v
}

// mayBind says whether a channel to peer may be bound: whether the first packet on it would go somewhere. Another allocation
// has to be there already, as it is before anybody hears of its address; what listens beside the server on its own address
// would wait for packets in vain.
func (a *allocation) mayBind(peer netip.AddrPort) bool {
	may := a.accessTo(peer)
	if may.outside {
		return true
	}
	to := a.gate.server.relays.lookup(peer)
	return may.memory && to != nil && !to.isOver() && a.mayExchange(to)
}

// sayClosed tells the operator, once a minute at most, that a client has asked for something beside the server, which an
// operator who has put it there does not expect to be refused.
func (s *Server) sayClosed(a *allocation, peer netip.AddrPort, now time.Time) {
	ip, said, clock := canonical(peer.Addr()), s.saidClosed.Load(), s.clockAt(now)
	if !s.policy.isOwn(ip) || said > 0 && clock-said < int64(time.Minute) || !s.saidClosed.CompareAndSwap(said, clock) {
		return
	}
	s.log.Info("turn refuses a peer at this machine's own address, which is closed unless turn.allow_peers names it alone",
		"user", a.who.user, "peer", peer)
}

// mayExchange says whether the two may exchange packets in memory: it takes the consent of both.
func (a *allocation) mayExchange(b *allocation) bool {
	return (a.member == nil || b.member != nil && a.member.peer() == b.member) &&
		(b.member == nil || a.member != nil && b.member.peer() == a.member)
}

// nested says whether a payload for the media relay would come to this server again, because the two share a port.
func (s *Server) nested(b []byte) bool {
	if !s.shared || len(b) < 2 {
		return false
	}
	method, _ := splitType(binary.BigEndian.Uint16(b))
	return isChannel(b[0]) || b[0] < 4 && method != methodBinding
}

// parseAllow reads turn.allow_peers: addresses and ranges.
func parseAllow(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, errAddr := netip.ParseAddr(s)
			if errAddr != nil {
				return nil, fmt.Errorf("turn.allow_peers: %q is neither an address nor a range like 10.1.0.0/16", s)
			}
			a = canonical(a)
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if hidden, ok := within(never, p.Addr()); ok && hidden.Bits() <= p.Bits() {
			return nil, fmt.Errorf("turn.allow_peers: %q lies in %s, which can never be a peer", s, hidden)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}
