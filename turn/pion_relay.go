package turn

// This file is what the library gets for a relayed address: a net.PacketConn that relays nothing by itself.

import (
	"net"
	"net/netip"
	"runtime"
	"time"
)

// generator is the library's way to ask for a relayed address; it does so on the read loop's goroutine.
type generator struct{ library *library }

// Validate has nothing to check.
func (generator) Validate() error { return nil }

// AllocatePacketConn makes the allocation for the current request. For EVEN-PORT the library opens sockets and closes them
// again until it likes one, and then asks for its number: the first one is always right, and kept.
func (g generator) AllocatePacketConn(string, int) (net.PacketConn, net.Addr, error) {
	l := g.library
	a := l.probed
	if a == nil {
		var err error
		if a, err = l.gate.allocate(); err != nil {
			return nil, nil, err
		}
		if l.request.carries(hasEvenPort) {
			l.probed = a
			return probe{newRelayConn(a)}, net.UDPAddrFromAddrPort(a.relay), nil
		}
	}
	l.probed = nil
	l.gate.hold(a)
	c := newRelayConn(a)
	return c, c.addr, nil
}

// AllocateConn is never called by the library.
func (generator) AllocateConn(string, int) (net.Conn, net.Addr, error) {
	return nil, nil, net.ErrClosed
}

// relayConn is an allocation as the library sees it. Its Close is the one sure sign that the allocation is over; it is
// called once.
type relayConn struct {
	allocation *allocation
	addr       *net.UDPAddr
}

func newRelayConn(a *allocation) *relayConn { return &relayConn{a, net.UDPAddrFromAddrPort(a.relay)} }

// ReadFrom ends the library's packet handler at once. Whatever comes for the client goes around it (forward.go), so that an
// idle allocation has no goroutine and no buffer, which are half of the memory it would take. And a handler that got an
// error would delete its client's allocation by address, which by then may be another one.
func (c *relayConn) ReadFrom([]byte) (int, net.Addr, error) {
	runtime.Goexit()
	return 0, nil, net.ErrClosed
}

// WriteTo carries one payload from the client to a peer. It never fails: what cannot be sent is lost, as on any network.
func (c *relayConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	if udp, ok := addr.(*net.UDPAddr); ok {
		peer := udp.AddrPort()
		c.allocation.fromAuthority(b, netip.AddrPortFrom(canonical(peer.Addr()), peer.Port()))
	}
	return len(b), nil
}

// Close ends the allocation.
func (c *relayConn) Close() error {
	c.allocation.close()
	return nil
}

// LocalAddr is the relayed address, which is what the library logs.
func (c *relayConn) LocalAddr() net.Addr { return c.addr }

// SetDeadline and its sisters are never called by the library.
func (c *relayConn) SetDeadline(time.Time) error      { return nil }
func (c *relayConn) SetReadDeadline(time.Time) error  { return nil }
func (c *relayConn) SetWriteDeadline(time.Time) error { return nil }

// probe is what the library gets when it looks for an even port.
type probe struct{ *relayConn }

// Close keeps the allocation.
func (probe) Close() error { return nil }
