//go:build linux

// Kinds of networks, and the theory of which of them can reach each other without help.

package natlab

import "time"

// NAT is what a router does to UDP, in the words of RFC 4787 and, first, in those of everybody else.
type NAT int

const (
	NoNAT             NAT = iota // public addresses on the LAN
	FullCone                     // mapping and filtering endpoint-independent
	AddressRestricted            // mapping endpoint-independent, filtering by address
	PortRestricted               // mapping endpoint-independent, filtering by address and port: most homes
	Symmetric                    // mapping and filtering by address and port: mobile carriers, offices
	OneToOne                     // every host has a public address of its own that it does not know: clouds
)

func (n NAT) String() string {
	return [...]string{"none", "full cone", "address-restricted", "port-restricted", "symmetric", "1:1"}[n]
}

// Filter is what a router lets out.
type Filter int

const (
	Everything Filter = iota
	NoUDP             // no UDP at all
	Only443           // nothing but TCP to port 443
	OnlyProxy         // nothing at all; an HTTP CONNECT proxy on the router is the way out (Network.Proxy)
)

// Family is a set of IP versions.
type Family int

const (
	V4   Family = 1
	V6   Family = 2
	Dual        = V4 | V6
)

// Spec describes a network. The zero value is an IPv4 network without NAT and firewall. NAT concerns IPv4; an IPv6 network
// with Firewall set has the stateful firewall of every home router instead.
type Spec struct {
	Name     string
	Family   Family // 0 means V4
	NAT      NAT
	Carrier  NAT  // another NAT between this router and the internet; NoNAT means there is none
	Hairpin  bool // the NAT returns what its own hosts send to its public address (with a carrier: the carrier does it)
	Isolated bool // guest Wi-Fi: the LAN's hosts cannot see each other
	Shared   bool // the LAN is a carrier's: its addresses are the shared ones of RFC 6598
	Firewall bool // without NAT too, nothing comes in that did not go out first
	Filter   Filter
	Binding  time.Duration // how long an idle UDP binding lives; 0 means the kernel's 30 s, then 120 s
}

// Named networks.
var (
	Open              = Spec{Name: "open"}
	Cone              = Spec{Name: "full-cone", NAT: FullCone}
	AddrCone          = Spec{Name: "addr-restricted", NAT: AddressRestricted}
	Home              = Spec{Name: "port-restricted", NAT: PortRestricted}
	HomeHairpin       = Spec{Name: "port-restricted+hairpin", NAT: PortRestricted, Hairpin: true}
	Office            = Spec{Name: "symmetric", NAT: Symmetric}
	Guest             = Spec{Name: "guest-wifi", NAT: PortRestricted, Isolated: true}
	GuestHairpin      = Spec{Name: "guest-wifi+hairpin", NAT: PortRestricted, Isolated: true, Hairpin: true}
	CarrierHome       = Spec{Name: "carrier+home", NAT: PortRestricted, Carrier: PortRestricted}
	Mobile            = Spec{Name: "carrier-symmetric", NAT: PortRestricted, Carrier: Symmetric}
	UDPBlocked        = Spec{Name: "udp-blocked", NAT: PortRestricted, Filter: NoUDP}
	Port443           = Spec{Name: "443-only", NAT: PortRestricted, Filter: Only443}
	ProxyOnly         = Spec{Name: "proxy-only", NAT: PortRestricted, Filter: OnlyProxy}
	IPv6              = Spec{Name: "ipv6-only", Family: V6, Firewall: true}
	DualStack         = Spec{Name: "dual-stack", Family: Dual, NAT: PortRestricted, Firewall: true}
	DualStackOffice   = Spec{Name: "dual-stack-symmetric", Family: Dual, NAT: Symmetric, Firewall: true}
	OpenDual          = Spec{Name: "open-dual", Family: Dual}
	Cloud             = Spec{Name: "cloud-1:1", NAT: OneToOne, Hairpin: true}
	CloudNoHairpin    = Spec{Name: "cloud-1:1-no-hairpin", NAT: OneToOne}
	CarrierNet        = Spec{Name: "carrier", NAT: PortRestricted} // to put homes behind with Network.Behind
	CarrierNetHairpin = Spec{Name: "carrier+hairpin", NAT: PortRestricted, Shared: true, Hairpin: true}
)

// Specs are the named networks that one person can be in.
var Specs = []Spec{
	Open, Cone, AddrCone, Home, HomeHairpin, Office, Guest, GuestHairpin, CarrierHome, Mobile, UDPBlocked, Port443, ProxyOnly,
	IPv6, DualStack, DualStackOffice, OpenDual, Cloud,
}

func (s Spec) family() Family {
	if s.Family == 0 {
		return V4
	}
	return s.Family
}

// strictest is the NAT that counts, of a home's and its carrier's.
func (s Spec) strictest() NAT {
	if s.NAT == OneToOne {
		return NoNAT // whoever knows the public address gets through
	}
	return max(s.NAT, s.Carrier)
}

// Punches says whether a host here and a host in another network of kind o can find a path for UDP between them, given
// somebody who tells each the other's public address.
func (s Spec) Punches(o Spec) bool {
	if s.Filter != Everything || o.Filter != Everything {
		return false
	}
	common := s.family() & o.family()
	if common&V6 != 0 {
		return true // no NAT: firewalls open for whoever sends first, and both do
	}
	if common&V4 == 0 {
		return false
	}
	a, b := s.strictest(), o.strictest()
	return !(a == Symmetric && b >= PortRestricted || b == Symmetric && a >= PortRestricted)
}

// PunchesWithin says the same of two hosts in one network of this kind.
func (s Spec) PunchesWithin() bool {
	if !s.Isolated {
		return true
	}
	return s.Hairpin && s.Filter == Everything && s.strictest() < Symmetric
}
