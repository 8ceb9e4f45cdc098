//go:build linux

// Networks: a router with its uplink, its LAN and its rules.

package natlab

import (
	"fmt"
	"net/netip"
)

// The public internet of a Lab. These are addresses that nobody's policy takes for private, reserved or made for
// documentation; they lead nowhere, as a Lab has no way out of the machine.
const (
	public4 = "45.80.%d.%d"
	public6 = "2a10:d0e7:%x::%x"
)

// A Network is one router and the LAN behind it.
type Network struct {
	Spec
	lab    *Lab
	router namespace
	behind *Network // whose LAN this router is in; nil at the internet itself

	site       int // at the core; a network behind another shares the other's
	wan4, wan6 netip.Addr
	lan4, lan6 netip.Prefix // invalid where the family is absent
	stations   int          // hosts and routers on the LAN so far
	subnets    int          // IPv6 networks delegated to routers on the LAN so far
	sets       []string     // rules of Block, kept until Unblock
}

// Network builds a network at the internet, with its carrier where the Spec has one.
func (l *Lab) Network(s Spec) *Network {
	l.t.Helper()
	if s.Carrier != NoNAT {
		carrier := l.Network(Spec{Name: s.Name + "-carrier", Family: s.Family, NAT: s.Carrier, Hairpin: s.Hairpin, Shared: true})
		s.Carrier, s.Hairpin = NoNAT, false
		return carrier.Behind(s)
	}
	l.sites++
	n := l.network(s, nil)
	port := fmt.Sprintf("n%d", n.site)
	l.must(n.router.ip(fmt.Sprintf("link add wan0 gso_max_segs 1 type veth peer name %s gso_max_segs 1 netns %s", port, l.core)))
	core := []string{"link set " + port + " up"}
	wan := []string{"link set wan0 up"}
	if n.family()&V4 != 0 {
		n.wan4 = netip.MustParseAddr(fmt.Sprintf(public4, n.site, 2))
		core = append(core, fmt.Sprintf("addr add "+public4+"/24 dev %s", n.site, 1, port))
		if s.NAT == NoNAT {
			core = append(core, fmt.Sprintf("route add %s via %s", n.lan4.Masked(), n.wan4))
		}
		wan = append(wan, fmt.Sprintf("addr add %s/24 dev wan0", n.wan4), fmt.Sprintf("route add default via "+public4, n.site, 1))
	}
	if n.family()&V6 != 0 {
		n.wan6 = netip.MustParseAddr(fmt.Sprintf(public6, n.site, 2))
		core = append(core,
			fmt.Sprintf("addr add "+public6+"/64 dev %s nodad", n.site, 1, port),
			fmt.Sprintf("route add "+public6+"/48 via %s", n.site, 0, n.wan6))
		wan = append(wan, fmt.Sprintf("addr add %s/64 dev wan0 nodad", n.wan6), fmt.Sprintf("route add default via "+public6, n.site, 1))
	}
	l.must(l.core.ip(core...))
	l.must(n.router.ip(wan...))
	l.must(l.core.running(port))
	l.must(n.router.running("wan0"))
	l.must(n.router.nft(n.rules()))
	n.settle()
	return n
}

// Behind builds a network whose router is in this one's LAN: a home at its carrier, a router behind a router.
func (n *Network) Behind(s Spec) *Network {
	n.lab.t.Helper()
	inner := n.lab.network(s, n)
	n.stations++
	inner.wan4, inner.wan6 = n.station(n.stations)
	port := fmt.Sprintf("p%d", n.stations)
	n.lab.must(n.router.ip(
		fmt.Sprintf("link add %s gso_max_segs 1 type veth peer name wan0 gso_max_segs 1 netns %s", port, inner.router),
		fmt.Sprintf("link set %s up", port),
	))
	n.lab.must(inner.router.ip("link set wan0 up"))
	n.plug(port)
	n.lab.must(inner.router.running("wan0"))
	var wan []string
	if inner.wan4.IsValid() && s.family()&V4 != 0 {
		wan = append(wan, fmt.Sprintf("addr add %s/%d dev wan0", inner.wan4, n.lan4.Bits()), fmt.Sprintf("route add default via %s", n.lan4.Addr()))
	}
	if inner.wan6.IsValid() && s.family()&V6 != 0 {
		wan = append(wan, fmt.Sprintf("addr add %s/64 dev wan0 nodad", inner.wan6), fmt.Sprintf("route add default via %s", n.lan6.Addr()))
		n.lab.must(n.router.ip(fmt.Sprintf("route add %s via %s", inner.lan6.Masked(), inner.wan6)))
	}
	n.lab.must(inner.router.ip(wan...))
	n.lab.must(inner.router.nft(inner.rules()))
	inner.settle()
	return inner
}

// network makes the router and its LAN, all but the uplink.
func (l *Lab) network(s Spec, behind *Network) *Network {
	l.t.Helper()
	l.lans++
	n := &Network{Spec: s, lab: l, behind: behind, site: l.sites}
	if behind != nil {
		n.site = behind.site
	}
	n.router = l.namespace(fmt.Sprintf("r%d", l.lans))
	// With an address of its own the bridge does not change it as ports come and go.
	lan := []string{"link set lo up", "link add lan0 address 02:00:00:00:00:01 type bridge", "link set lan0 up"}
	if s.family()&V4 != 0 {
		// The prefix's address is the router's own.
		switch {
		case s.NAT == NoNAT:
			n.lan4 = netip.MustParsePrefix(fmt.Sprintf(public4+"/25", n.site, 129))
		case s.Shared:
			n.lan4 = netip.MustParsePrefix(fmt.Sprintf("100.64.%d.1/24", l.lans))
		case s.NAT == OneToOne:
			n.lan4 = netip.MustParsePrefix(fmt.Sprintf("10.0.%d.1/24", l.lans))
		default:
			n.lan4 = netip.MustParsePrefix(fmt.Sprintf("192.168.%d.1/24", l.lans))
		}
		lan = append(lan, fmt.Sprintf("addr add %s dev lan0", n.lan4))
		l.must(n.router.sysctl("ipv4/ip_forward", "1"))
	}
	if s.family()&V6 != 0 {
		sub := 1
		if behind != nil {
			behind.subnets++
			sub = 0x100 + behind.subnets
		}
		n.lan6 = netip.MustParsePrefix(fmt.Sprintf("2a10:d0e7:%x:%x::1/64", n.site, sub))
		lan = append(lan, fmt.Sprintf("addr add %s dev lan0 nodad", n.lan6))
		l.must(n.router.sysctl("ipv6/conf/all/forwarding", "1"))
	}
	l.must(n.router.ip(lan...))
	return n
}

// plug puts a device that is up at both ends into the LAN.
func (n *Network) plug(port string) {
	n.lab.t.Helper()
	n.lab.must(n.router.running(port))
	n.lab.must(n.router.ip(fmt.Sprintf("link set %s master lan0", port)))
	if n.Isolated {
		n.lab.must(n.router.run("", "bridge", "link", "set", "dev", port, "isolated", "on"))
	}
	n.lab.must(n.router.running("lan0"))
}

// settle is for what is known only once the rules are loaded.
func (n *Network) settle() {
	n.lab.t.Helper()
	if n.Binding > 0 {
		seconds := fmt.Sprint(max(1, int(n.Binding.Seconds())))
		n.lab.must(n.router.sysctl("netfilter/nf_conntrack_udp_timeout", seconds, "netfilter/nf_conntrack_udp_timeout_stream", seconds))
	}
}

// station is the address of the i-th thing on the LAN.
func (n *Network) station(i int) (v4, v6 netip.Addr) {
	if n.lan4.IsValid() {
		b := n.lan4.Addr().As4()
		b[3] += byte(9 + i)
		v4 = netip.AddrFrom4(b)
	}
	if n.lan6.IsValid() {
		b := n.lan6.Addr().As16()
		b[15] = byte(0x10 + i)
		v6 = netip.AddrFrom16(b)
	}
	return v4, v6
}

// Gateway is the router's IPv4 address on the LAN.
func (n *Network) Gateway() netip.Addr { return n.lan4.Addr() }

// Public is the router's IPv4 address on the internet's side, which a carrier may hide again.
func (n *Network) Public() netip.Addr { return n.wan4 }
