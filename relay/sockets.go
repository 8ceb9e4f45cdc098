package relay

// The relay's two ports, and how pion sees them.

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
)

// udpBuffer is asked for in each direction: the kernel's usual 208 KiB hold a tenth of a second of 40 calls.
const udpBuffer = 4 << 20

// listen opens the TCP and the UDP port; both have the same number, also when it is chosen here.
func listen(at netip.AddrPort) (*net.UDPConn, *net.TCPListener, error) {
	for try := 0; ; try++ {
		addr := at.String()
		if at.Addr() == netip.IPv6Unspecified() {
			addr = fmt.Sprintf(":%d", at.Port()) // IPv4 as well, and only IPv4 on hosts without IPv6
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, nil, fmt.Errorf("listen tcp %s: %w", addr, err)
		}
		tcp := l.(*net.TCPListener)
		local := *tcp.Addr().(*net.TCPAddr)
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: local.IP, Port: local.Port, Zone: local.Zone})
		if err == nil {
			// A smaller buffer than asked for is the operator's limit, not an error.
			_ = conn.SetReadBuffer(udpBuffer)
			_ = conn.SetWriteBuffer(udpBuffer)
			return conn, tcp, nil
		}
		_ = tcp.Close()
		if at.Port() != 0 || try == 9 || !errors.Is(err, syscall.EADDRINUSE) {
			return nil, nil, fmt.Errorf("listen udp %s: %w", addr, err)
		}
	}
}

// pion wants a candidate for each address of each interface. We announce addresses ourselves, and only need each leg to
// be found by its ufrag whatever address a packet came to. So pion sees a host with one interface, whose two addresses
// stand for "any IPv4" and "any IPv6", and both ports seem to be bound there.

// anyNet is that host.
type anyNet struct {
	*stdnet.Net
	one []*transport.Interface
}

func newAnyNet() (*anyNet, error) {
	std, err := stdnet.NewNet()
	if err != nil {
		return nil, fmt.Errorf("read network interfaces: %w", err)
	}
	one := transport.NewInterface(net.Interface{Index: 1, MTU: 1500, Name: "any", Flags: net.FlagUp | net.FlagLoopback})
	one.AddAddress(&net.IPNet{IP: any4(), Mask: net.CIDRMask(32, 32)})
	one.AddAddress(&net.IPNet{IP: any6(), Mask: net.CIDRMask(128, 128)})
	return &anyNet{Net: std, one: []*transport.Interface{one}}, nil
}

// any4 and any6 stand for every local address of their family.
func any4() net.IP { return net.IPv4(127, 0, 0, 1).To4() }
func any6() net.IP { return net.ParseIP("2001:db8::1") } // pion takes ::1 for no address

func (n *anyNet) Interfaces() ([]*transport.Interface, error) { return n.one, nil }

// anyTCP seems to be bound to all addresses; the connections it accepts seem to have come to any4 or any6.
type anyTCP struct{ *net.TCPListener }

func (l anyTCP) Addr() net.Addr {
	return &net.TCPAddr{IP: net.IPv6unspecified, Port: l.TCPListener.Addr().(*net.TCPAddr).Port}
}

func (l anyTCP) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	local := net.TCPAddr{IP: any6(), Port: l.TCPListener.Addr().(*net.TCPAddr).Port}
	if c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().Is4() {
		local.IP = any4()
	}
	return anyTCPConn{c, &local}, nil
}

type anyTCPConn struct {
	*net.TCPConn
	local *net.TCPAddr
}

func (c anyTCPConn) LocalAddr() net.Addr { return c.local }

// announced are the addresses that answers carry.
func announced(bound netip.Addr, configured, found []netip.Addr) []netip.Addr {
	bound = bound.Unmap()
	switch {
	case len(configured) > 0:
		return configured
	case bound.IsLoopback():
		return []netip.Addr{bound}
	case len(found) > 0:
		var all []netip.Addr
		for _, a := range found {
			if a = a.Unmap(); a == bound {
				return []netip.Addr{bound}
			}
			all = append(all, a)
		}
		return all
	case !bound.IsUnspecified():
		return []netip.Addr{bound}
	}
	var global, loopback []netip.Addr
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		switch ip = ip.Unmap(); {
		case !ok || ip.IsLinkLocalUnicast():
		case ip.IsLoopback():
			loopback = append(loopback, ip)
		default:
			global = append(global, ip)
		}
	}
	if len(global) > 0 {
		return global
	}
	return loopback
}
