// Package netaddr finds the addresses under which this machine can be reached:
// from its interfaces, or by asking a STUN server. It keeps no state and holds
// no lock; its types are [Found] and [Source], and no goroutine outlives a call.
package netaddr

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Found is one address and where it came from.
type Found struct {
	Addr netip.Addr
	How  string // in words, for the operator
}

// FromInterfaces picks the best IPv4 and the best IPv6 address: a public one
// before a private one, a real interface before a bridge of containers or
// virtual machines, loopback when there is nothing else. There may be none of a kind.
func FromInterfaces() ([]Found, error) {
	ifaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the network interfaces: %w", err)
	}
	var all []candidate
	for _, iface := range ifaces {
		if iface.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := iface.Addrs()
		if err != nil {
			continue // gone since it was listed
		}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				all = append(all, candidate{iface.Name, prefix.Addr().Unmap()})
			}
		}
	}
	return choose(all), nil
}

type candidate struct {
	iface string
	addr  netip.Addr
}

func choose(all []candidate) []Found {
	var found []Found
	for _, is4 := range []bool{true, false} {
		best, bestRank := candidate{}, 0
		for _, c := range all {
			if r := c.rank(); c.addr.Is4() == is4 && r > bestRank {
				best, bestRank = c, r
			}
		}
		// Loopback stands in only for IPv4, and only on a machine without a network.
		if bestRank == 0 || best.addr.IsLoopback() && (!is4 || slices.ContainsFunc(all, candidate.isReal)) {
			continue
		}
		found = append(found, Found{best.addr, "interface " + best.iface + best.remark()})
	}
	return found
}

// rank is 0 for what can never be announced.
func (c candidate) rank() int {
	switch a := c.addr; {
	case a.IsLoopback():
		return 1
	case !a.IsGlobalUnicast():
		return 0 // link-local, multicast, unspecified
	case isBridge(c.iface):
		return 2
	case a.IsPrivate() || sharedRange.Contains(a):
		return 3
	}
	return 4
}

// isReal: it can be announced to others.
func (c candidate) isReal() bool { return c.rank() > 1 }

func (c candidate) remark() string {
	switch c.rank() {
	case 1:
		return ", reachable from this machine only"
	case 4:
		return ""
	}
	return ", private: reachable from your own network only"
}

// sharedRange is what carriers use between themselves and their customers (RFC 6598).
var sharedRange = netip.MustParsePrefix("100.64.0.0/10")

func isBridge(name string) bool {
	for _, prefix := range []string{"docker", "br-", "veth", "virbr", "cni", "flannel", "lxc", "lxd", "podman", "vmnet", "vboxnet"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
