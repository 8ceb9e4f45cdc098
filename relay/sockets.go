package relay

// The relay's two ports, and how pion sees them.

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"

	"duet/internal/lock"
	"duet/internal/peraddr"
	"duet/internal/udp"
)

// udpBuffer is asked for in each direction: the kernel's usual size holds 92 packets of 1,200 bytes, for all calls.
const udpBuffer = 4 << 20

// listen opens the TCP and the UDP port; both have the same number, also when it is chosen here.
func listen(at netip.AddrPort) (*net.UDPConn, net.Listener, error) {
	addr := listenText(at)
	for try := 0; ; try++ {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, nil, fmt.Errorf("listen tcp %s: %w", addr, err)
		}
		tcp := l.(*net.TCPListener)
		conn, err := udp.Bind("udp", tcp.Addr().String(), udp.Options{Receive: udpBuffer, Send: udpBuffer})
		if err == nil {
			return conn, tcp, nil
		}
		_ = tcp.Close()
		if at.Port() != 0 || try == 9 || !errors.Is(err, syscall.EADDRINUSE) {
			return nil, nil, fmt.Errorf("listen udp %s: %w", addr, err)
		}
	}
}

func listenText(at netip.AddrPort) string {
	if at.Addr() == netip.IPv6Unspecified() {
		return fmt.Sprintf(":%d", at.Port()) // IPv4 as well, and only IPv4 on hosts without IPv6
	}
	return at.String()
}

// pion wants a candidate for each address of each interface. We announce addresses ourselves, and only need each leg to
// be found by its ufrag whatever address a packet came to. So pion sees a host with one interface, whose two addresses
// stand for "any IPv4" and "any IPv6", and both ports seem to be bound there.

// anyNet is that host.
type anyNet struct {
	*stdnet.Net
	one []*transport.Interface
}

// newAnyNet makes a host with the families that clients are told about: pion spends 40 KB on each leg for each of them.
func newAnyNet(announced []netip.Addr) (*anyNet, error) {
	std, err := stdnet.NewNet()
	if err != nil {
		return nil, fmt.Errorf("read network interfaces: %w", err)
	}
	one := transport.NewInterface(net.Interface{Index: 1, MTU: 1500, Name: "any", Flags: net.FlagUp | net.FlagLoopback})
	if slices.ContainsFunc(announced, netip.Addr.Is4) {
		one.AddAddress(&net.IPNet{IP: any4(), Mask: net.CIDRMask(32, 32)})
	}
	if slices.ContainsFunc(announced, netip.Addr.Is6) {
		one.AddAddress(&net.IPNet{IP: any6(), Mask: net.CIDRMask(128, 128)})
	}
	return &anyNet{Net: std, one: []*transport.Interface{one}}, nil
}

// any4 and any6 stand for every local address of their family.
func any4() net.IP { return net.IPv4(127, 0, 0, 1).To4() }
func any6() net.IP { return net.ParseIP("2001:db8::1") } // pion takes ::1 for no address

func (n *anyNet) Interfaces() ([]*transport.Interface, error) { return n.one, nil }

// maxTCP bounds the connections, of which most legs need none and the others one. Descriptors are for all.
const maxTCP = 4096

// anyTCP seems to be bound to all addresses; the connections it accepts seem to have come to any4 or any6.
type anyTCP struct {
	net.Listener
	conns *tcpConns
	log   *slog.Logger
}

func newAnyTCP(l net.Listener, perIP int, log *slog.Logger) anyTCP {
	return anyTCP{l, &tcpConns{places: peraddr.NewPlaces[*anyTCPConn](maxTCP, perIP)}, log}
}

func (l anyTCP) Addr() net.Addr {
	return &net.TCPAddr{IP: net.IPv6unspecified, Port: l.Listener.Addr().(*net.TCPAddr).Port}
}

// Accept fails when the listener is closed and never else: pion would not ask again.
func (l anyTCP) Accept() (net.Conn, error) {
	pause := time.Duration(0)
	for {
		c, err := l.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil { // out of file descriptors, say
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
			continue
		}
		pause = 0
		from, ok := c.RemoteAddr().(*net.TCPAddr)
		if !ok { // a load balancer told us nonsense
			_ = c.Close()
			continue
		}
		remote := from.AddrPort().Addr().Unmap()
		conn := &anyTCPConn{Conn: c, local: &net.TCPAddr{IP: any6(), Port: l.Listener.Addr().(*net.TCPAddr).Port}, among: l.conns}
		if remote.Is4() {
			conn.local.IP = any4()
		}
		entry, leaver := l.conns.enter(conn, remote)
		if leaver != nil {
			l.log.Warn("relay has too many streams and ends one that has said nothing", "from", leaver.RemoteAddr().String())
			_ = leaver.Conn.Close()
		}
		if entry != peraddr.Entered {
			l.log.Warn("relay refuses a stream", "from", remote, "bound", map[peraddr.Entry]string{peraddr.FullEach: "streams_per_ip", peraddr.FullAll: "all"}[entry])
			_ = c.Close()
			continue
		}
		return conn, nil
	}
}

// Close closes the connections as well: pion waits for the first packet of each, and a silent one would hold the end up.
func (l anyTCP) Close() error {
	err := l.Listener.Close()
	for _, c := range l.conns.end() {
		_ = c.Conn.Close()
	}
	return err
}

type anyTCPConn struct {
	net.Conn
	local *net.TCPAddr
	among *tcpConns
	heard atomic.Bool // it has said something
}

func (c *anyTCPConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && !c.heard.Swap(true) {
		c.among.needed(c)
	}
	return n, err
}

func (c *anyTCPConn) LocalAddr() net.Addr { return c.local }

func (c *anyTCPConn) Close() error {
	c.among.leave(c)
	return c.Conn.Close()
}

// tcpConns are the open connections. When there are too many, the oldest that has said nothing gives way.
type tcpConns struct {
	mu     lock.Mutex[lock.Leaf]
	ended  bool
	places *peraddr.Places[*anyTCPConn]
}

// enter takes a connection in, or says why not. leaver gives way for it, and is nil or to be closed.
func (t *tcpConns) enter(c *anyTCPConn, ip netip.Addr) (how peraddr.Entry, leaver *anyTCPConn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return peraddr.FullAll, nil
	}
	how, leaver, _ = t.places.Enter(c, ip)
	return how, leaver
}

// needed: c has said something.
func (t *tcpConns) needed(c *anyTCPConn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.places.Needed(c, true)
}

func (t *tcpConns) leave(c *anyTCPConn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.places.Leave(c)
}

// end lets nobody in any more and says who is there.
func (t *tcpConns) end() []*anyTCPConn {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	return t.places.All()
}

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
