package turn

// This file chooses relayed addresses: which port, on which public address, and the socket behind it when one is needed.

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
)

var errNoPort = errors.New("no free relay port")

// ports is fixed after New.
type ports struct {
	low, high uint16
	none      bool                                 // ports are only names: nothing outside is reached
	own       *atomic.Pointer[map[netip.Addr]bool] // see policy
}

// parsePorts reads "49152-65535" or "none".
func parsePorts(s string) (low, high uint16, none bool, err error) {
	if s == "none" {
		return 49152, 65535, true, nil
	}
	first, last, ok := strings.Cut(s, "-")
	l, err1 := strconv.ParseUint(strings.TrimSpace(first), 10, 16)
	h, err2 := strconv.ParseUint(strings.TrimSpace(last), 10, 16)
	if !ok || err1 != nil || err2 != nil || l < 1024 || l > h {
		return 0, 0, false, fmt.Errorf(`turn.relay_ports: %q is neither a range like 49152-65535 (from 1024 up) nor "none"`, s)
	}
	return uint16(l), uint16(h), false, nil
}

// choose claims a relayed address of ip for a. The port is tried out, so that a socket can be opened later. It may have to
// be even, and the one after it claimed too.
func (p *ports) choose(f *relayTable, a *allocation, ip netip.Addr, even, pair bool) (netip.AddrPort, error) {
	size := int(p.high-p.low) + 1
	start := rand.IntN(size)
	probes := 0
	const guesses = 32
	for i := range guesses + size {
		// Random at first, because predictable ports invite spoofed peers; in order when the range is nearly full.
		offset := (start + i) % size
		if i < guesses {
			offset = rand.IntN(size)
		}
		addr := netip.AddrPortFrom(ip, p.low+uint16(offset))
		if even && addr.Port()%2 == 1 || pair && addr.Port() == p.high || !f.claim(addr, a) {
			continue
		}
		if pair && !f.claim(nextPort(addr), nil) {
			f.release(addr)
			continue
		}
		if p.none {
			return addr, nil
		}
		conn, err := p.open(addr)
		if err == nil {
			conn.Close()
			return addr, nil
		}
		f.release(addr)
		if pair {
			f.release(nextPort(addr))
		}
		if probes++; probes == 64 {
			return netip.AddrPort{}, fmt.Errorf("%w: %w", errNoPort, err)
		}
	}
	return netip.AddrPort{}, errNoPort
}

func nextPort(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), a.Port()+1) }

// open opens the real socket of a relayed address.
func (p *ports) open(addr netip.AddrPort) (net.PacketConn, error) {
	return net.ListenPacket(p.bindTo(addr))
}

// bindTo is where the socket of a relayed address is bound: there if the address is this machine's, behind a 1:1 NAT or once
// it has gone to all addresses.
func (p *ports) bindTo(addr netip.AddrPort) (network, address string) {
	network, any := "udp4", netip.IPv4Unspecified()
	if addr.Addr().Is6() {
		network, any = "udp6", netip.IPv6Unspecified()
	}
	if !(*p.own.Load())[addr.Addr()] {
		addr = netip.AddrPortFrom(any, addr.Port())
	}
	return network, addr.String()
}
