//go:build linux

// Measuring what a network does to UDP: a reflector with two addresses and two ports, and a probe, after RFC 5780; and
// hole punching.

package natlab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Dependence is on what a mapping or a filter depends.
type Dependence int

const (
	Endpoint       Dependence = iota + 1 // on nothing: endpoint-independent
	Address                              // on the remote address
	AddressAndPort                       // on the remote address and port
)

func (d Dependence) String() string {
	return [...]string{"unknown", "endpoint-independent", "address-dependent", "address-and-port-dependent"}[d]
}

// Behaviour is what Probe found.
type Behaviour struct {
	UDP                bool           // any answer at all; the rest is meaningless without
	Public             netip.AddrPort // of the probing socket
	Mapping, Filtering Dependence
}

// A Reflector is a host that tells who asks under which address it is seen, from the socket that the question names.
type Reflector struct {
	Host  *Host
	addrs [2]netip.Addr
	ports [2]uint16
	socks [2][2]*net.UDPConn // by address and port
}

// Reflector builds one in an open network of its own.
func (l *Lab) Reflector() *Reflector {
	l.t.Helper()
	h := l.Network(Open).Host("reflector")
	r := &Reflector{Host: h, addrs: [2]netip.Addr{h.Addr(), h.AddAddr()}, ports: [2]uint16{3478, 3479}}
	var serving sync.WaitGroup
	for i, a := range r.addrs {
		for j, p := range r.ports {
			c, err := h.ListenUDP(netip.AddrPortFrom(a, p).String())
			l.must(err)
			r.socks[i][j] = c
		}
	}
	for i := range r.socks {
		for j := range r.socks[i] {
			serving.Go(func() { r.serve(i, j) })
		}
	}
	l.closes = append(l.closes, func() error {
		var errs []error
		for _, pair := range r.socks {
			for _, c := range pair {
				errs = append(errs, c.Close())
			}
		}
		serving.Wait()
		return errors.Join(errs...)
	})
	return r
}

// serve answers a question of two bytes: change the address?, change the port? The rest is echoed.
func (r *Reflector) serve(i, j int) {
	buf := make([]byte, 1500)
	for {
		n, from, err := r.socks[i][j].ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if n < 2 {
			continue
		}
		out := r.socks[(i+int(buf[0]&1))%2][(j+int(buf[1]&1))%2]
		answer := append([]byte(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()).String()+" "), buf[2:n]...)
		_, _ = out.WriteToUDPAddrPort(answer, from) // UDP
	}
}

// Addr is one of the four sockets.
func (r *Reflector) Addr(i, j int) netip.AddrPort { return netip.AddrPortFrom(r.addrs[i], r.ports[j]) }

const (
	probeTries = 3
	probeWait  = 150 * time.Millisecond // on a machine where a round trip takes less than one
)

// ask sends a question until an answer comes. The zero AddrPort means that none came.
func (r *Reflector) ask(c *net.UDPConn, i, j int, changeAddr, changePort byte) netip.AddrPort {
	buf := make([]byte, 1500)
	for try := range probeTries {
		mark := fmt.Sprintf("%d%d%d%d-%d", i, j, changeAddr, changePort, try)
		if _, err := c.WriteToUDPAddrPort(append([]byte{changeAddr, changePort}, mark...), r.Addr(i, j)); err != nil {
			return netip.AddrPort{}
		}
		_ = c.SetReadDeadline(time.Now().Add(probeWait))
		for {
			n, _, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				break
			}
			var seen, got string
			if _, err := fmt.Sscan(string(buf[:n]), &seen, &got); err == nil && got == mark {
				if a, err := netip.ParseAddrPort(seen); err == nil {
					return a
				}
			}
		}
	}
	return netip.AddrPort{}
}

// Seen is the address under which the internet sees a socket.
func (r *Reflector) Seen(c *net.UDPConn) netip.AddrPort { return r.ask(c, 0, 0, 0, 0) }

// Probe finds out what lies between the host and the internet.
func (r *Reflector) Probe(h *Host) (Behaviour, error) {
	var b Behaviour
	c, err := h.ListenUDP(":0")
	if err != nil {
		return b, err
	}
	defer c.Close()
	// Filtering first: this socket may not have spoken to the other address before.
	b.Public = r.ask(c, 0, 0, 0, 0)
	if b.UDP = b.Public.IsValid(); !b.UDP {
		return b, nil
	}
	switch {
	case r.ask(c, 0, 0, 1, 1).IsValid():
		b.Filtering = Endpoint
	case r.ask(c, 0, 0, 0, 1).IsValid():
		b.Filtering = Address
	default:
		b.Filtering = AddressAndPort
	}
	otherAddr, otherBoth := r.ask(c, 1, 0, 0, 0), r.ask(c, 1, 1, 0, 0)
	switch {
	case otherAddr == b.Public && otherBoth == b.Public:
		b.Mapping = Endpoint
	case otherAddr == otherBoth:
		b.Mapping = Address
	default:
		b.Mapping = AddressAndPort
	}
	return b, nil
}

// Punch tries what ICE does: two sockets learn their public addresses, tell each other, and both send. IPv6 needs no
// telling. It reports whether packets of each reached the other.
func (r *Reflector) Punch(a, b *Host) (bool, error) {
	ca, err := a.ListenUDP(":0")
	if err != nil {
		return false, err
	}
	defer ca.Close()
	cb, err := b.ListenUDP(":0")
	if err != nil {
		return false, err
	}
	defer cb.Close()
	aSeen, bSeen := r.Seen(ca), r.Seen(cb)
	if a.Addr6().IsValid() && b.Addr6().IsValid() {
		aSeen = netip.AddrPortFrom(a.Addr6(), ca.LocalAddr().(*net.UDPAddr).AddrPort().Port())
		bSeen = netip.AddrPortFrom(b.Addr6(), cb.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	}
	if !aSeen.IsValid() || !bSeen.IsValid() {
		return false, nil
	}
	ok := make(chan bool, 2)
	go func() { ok <- punch(ca, bSeen) }()
	go func() { ok <- punch(cb, aSeen) }()
	first, second := <-ok, <-ok
	return first && second, nil
}

// punch sends until the other side says that it has heard us, or time is up. A packet from elsewhere than expected is
// answered to where it came from, like a peer-reflexive candidate.
func punch(c *net.UDPConn, to netip.AddrPort) bool {
	const (
		hello = "hello"
		heard = "heard"
	)
	end := time.Now().Add(1200 * time.Millisecond)
	buf := make([]byte, 64)
	done := false
	for time.Now().Before(end) {
		say := hello
		if done {
			say = heard
		}
		_, _ = c.WriteToUDPAddrPort([]byte(say), to) // an ICMP error of an earlier packet shows up here
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			continue
		}
		to = from
		switch string(buf[:n]) {
		case hello:
			_, _ = c.WriteToUDPAddrPort([]byte(heard), to)
		case heard:
			if !done {
				done = true
				end = time.Now().Add(150 * time.Millisecond) // long enough for the other to hear it too
			}
		}
	}
	return done
}
