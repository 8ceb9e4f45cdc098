//go:build linux

// What routers do, in nftables' language. Each NAT was measured with Probe; see the tests.

package natlab

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// rules are the whole rule set of a router.
func (n *Network) rules() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	closed := n.NAT != NoNAT || n.Firewall

	line("table inet filter {")
	// An input chain that drops decides about hole punching. Were the peer's early packet, which belongs to no binding
	// yet, accepted or rejected here, its connection entry would be confirmed, and the host's own packet to that peer
	// would then be given another port.
	line(" chain input {\n  type filter hook input priority 0; policy drop;")
	line("  iifname { lo, lan0 } accept\n  ct state established,related accept\n  meta l4proto { icmp, ipv6-icmp } accept\n }")
	line(" chain forward {\n  type filter hook forward priority 0; policy %s;", map[bool]string{true: "drop", false: "accept"}[closed])
	switch n.Filter {
	case NoUDP:
		line("  meta l4proto udp drop")
	case Only443:
		line("  iifname lan0 tcp dport != 443 drop\n  iifname lan0 meta l4proto != tcp drop")
	case OnlyProxy:
		line("  drop")
	}
	line("  iifname lan0 accept\n  ct state established,related accept\n  ct status dnat accept\n  meta l4proto { icmp, ipv6-icmp } accept")
	line(" }\n}")
	if n.family()&V4 == 0 || n.NAT == NoNAT {
		return b.String()
	}

	life := n.Binding
	if life == 0 {
		life = 2 * time.Minute
	}
	line("table ip nat {")
	line(" map cone {\n  type inet_service : ipv4_addr; flags dynamic,timeout; timeout %ds; size 65535\n }", max(1, int(life.Seconds())))
	line(" set seen {\n  type ipv4_addr . inet_service; flags dynamic,timeout; timeout %ds; size 65535\n }", max(1, int(life.Seconds())))
	line(" map inside {\n  type ipv4_addr : ipv4_addr\n }\n map outside {\n  type ipv4_addr : ipv4_addr\n }")
	line(" chain learn {\n  type filter hook postrouting priority 99")
	line("  oifname wan0 meta l4proto udp update @cone { udp sport : ip saddr } update @seen { ip daddr . udp sport }\n }")
	line(" chain pre {\n  type nat hook prerouting priority dstnat")
	switch n.NAT {
	case OneToOne:
		if n.Hairpin {
			line("  dnat to ip daddr map @inside")
		} else {
			line("  iifname wan0 dnat to ip daddr map @inside")
		}
	case FullCone:
		line("  iifname wan0 meta l4proto udp dnat to udp dport map @cone")
	case AddressRestricted:
		line("  iifname wan0 meta l4proto udp ip saddr . udp dport @seen dnat to udp dport map @cone")
	}
	if n.Hairpin && n.NAT != OneToOne {
		line("  iifname lan0 ip daddr %s meta l4proto udp dnat to udp dport map @cone", n.wan4)
	}
	line(" }\n chain post {\n  type nat hook postrouting priority srcnat")
	if n.NAT == OneToOne {
		line("  oifname lan0 ip saddr %s ct status dnat snat to ip saddr map @outside", n.lan4.Masked())
		line("  oifname wan0 snat to ip saddr map @outside")
	} else if n.Hairpin {
		line("  oifname lan0 ip saddr %s ct status dnat snat to %s", n.lan4.Masked(), n.wan4)
	}
	if n.NAT == Symmetric {
		line("  oifname wan0 masquerade fully-random")
	} else {
		line("  oifname wan0 masquerade")
	}
	line(" }\n}")
	return b.String()
}

// forwardOneToOne gives a host of a 1:1 network its public address.
func (n *Network) forwardOneToOne(host netip.Addr) netip.Addr {
	n.lab.t.Helper()
	public := netip.MustParseAddr(fmt.Sprintf(public4, n.site, host.As4()[3]))
	n.lab.must(n.router.ip(fmt.Sprintf("addr add %s/32 dev wan0", public)))
	n.lab.must(n.router.nft(fmt.Sprintf(
		"add element ip nat inside { %s : %s }\nadd element ip nat outside { %s : %s }\n", public, host, host, public)))
	return public
}

// A Block is traffic that a router stops from now on, in both directions, also in connections that exist already.
type Block struct {
	Proto  string // udp or tcp
	Ports  string // destination, as nftables writes it: 3478, 49152-65535; empty for all
	To     string // destination address or prefix; empty for all
	Refuse bool   // answer with an ICMP error or a reset instead of silence
}

// Block adds to what the router stops.
func (n *Network) Block(blocks ...Block) {
	n.lab.t.Helper()
	for _, b := range blocks {
		match := "meta l4proto " + b.Proto
		if b.Ports != "" {
			match = b.Proto + " dport " + b.Ports
		}
		if b.To != "" {
			family := "ip"
			if strings.Contains(b.To, ":") {
				family = "ip6"
			}
			match = family + " daddr " + b.To + " " + match
		}
		verdict := "drop"
		if b.Refuse {
			verdict = "reject"
			if b.Proto == "tcp" {
				verdict = "reject with tcp reset"
			}
		}
		n.sets = append(n.sets, match+" "+verdict)
	}
	n.loadBlocks()
}

// Unblock takes back every Block.
func (n *Network) Unblock() {
	n.lab.t.Helper()
	n.sets = nil
	n.loadBlocks()
}

func (n *Network) loadBlocks() {
	n.lab.t.Helper()
	// Forwarded traffic passes before the rules of rules; the router's own chains come first by their priority.
	n.lab.must(n.router.nft("table inet blocks\ndelete table inet blocks\ntable inet blocks {\n chain forward {\n" +
		"  type filter hook forward priority -10; policy accept;\n  " + strings.Join(n.sets, "\n  ") + "\n }\n}\n"))
}

// Reboot makes the router forget every binding, as a power cut does. Hosts keep their addresses.
func (n *Network) Reboot() {
	n.lab.t.Helper()
	n.lab.must(n.router.do(flushConntrack))
	if n.family()&V4 != 0 && n.NAT != NoNAT {
		n.lab.must(n.router.nft("flush map ip nat cone\nflush set ip nat seen\n"))
	}
}

// flushConntrack deletes all entries of the connection table: one netlink message of nfnetlink's connection tracking.
func flushConntrack() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer unix.Close(fd)
	const length = unix.SizeofNlMsghdr + 4 // nfgenmsg: family, version, resource id
	msg := make([]byte, length)
	binary.NativeEndian.PutUint32(msg[0:], length)
	binary.NativeEndian.PutUint16(msg[4:], unix.NFNL_SUBSYS_CTNETLINK<<8|2) // IPCTNL_MSG_CT_DELETE
	binary.NativeEndian.PutUint16(msg[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	if err := unix.Sendto(fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("flush conntrack: %w", err)
	}
	reply := make([]byte, 4096)
	k, _, err := unix.Recvfrom(fd, reply, 0)
	if err != nil || k < unix.SizeofNlMsghdr+4 {
		return fmt.Errorf("flush conntrack: reply of %d bytes: %w", k, err)
	}
	if code := int32(binary.NativeEndian.Uint32(reply[unix.SizeofNlMsghdr:])); code != 0 {
		return fmt.Errorf("flush conntrack: %w", unix.Errno(-code))
	}
	return nil
}
