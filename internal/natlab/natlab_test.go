//go:build linux

// The laboratory against the theory: every kind of network is measured with real packets.

package natlab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

func TestBehaviour(t *testing.T) {
	for _, c := range []struct {
		spec               Spec
		mapping, filtering Dependence
	}{
		{Open, Endpoint, Endpoint},
		{Spec{Name: "firewall", Firewall: true}, Endpoint, AddressAndPort},
		{Cone, Endpoint, Endpoint},
		{AddrCone, Endpoint, Address},
		{Home, Endpoint, AddressAndPort},
		{HomeHairpin, Endpoint, AddressAndPort},
		{Guest, Endpoint, AddressAndPort},
		{Office, AddressAndPort, AddressAndPort},
		{CarrierHome, Endpoint, AddressAndPort},
		{Spec{Name: "cone over cone", NAT: FullCone, Carrier: FullCone}, Endpoint, Endpoint},
		{Mobile, AddressAndPort, AddressAndPort},
		{Cloud, Endpoint, Endpoint},
		{DualStack, Endpoint, AddressAndPort},
	} {
		t.Run(c.spec.Name, func(t *testing.T) {
			t.Parallel()
			lab := New(t)
			r := lab.Reflector()
			h := lab.Network(c.spec).Host("probe")
			got, err := r.Probe(h)
			if err != nil {
				t.Fatal(err)
			}
			if !got.UDP || got.Mapping != c.mapping || got.Filtering != c.filtering {
				t.Errorf("got %+v, want mapping %v, filtering %v", got, c.mapping, c.filtering)
			}
			if want := h.Public(); got.Public.Addr() != want {
				t.Errorf("seen as %v, want %v", got.Public, want)
			}
		})
	}
}

// Theory and practice of hole punching, for every pair of kinds that matters.
func TestPunch(t *testing.T) {
	specs := []Spec{Open, Cone, AddrCone, Home, Office, CarrierHome, Mobile, Cloud}
	for i, a := range specs {
		t.Run(a.Name, func(t *testing.T) {
			t.Parallel()
			lab := New(t)
			r := lab.Reflector()
			here := lab.Network(a)
			var pairs errgroup.Group // they only wait
			for _, b := range specs[i:] {
				hostA, hostB := here.Host("a-"+b.Name), lab.Network(b).Host("b-"+b.Name)
				pairs.Go(func() error {
					got, err := r.Punch(hostA, hostB)
					if want := a.Punches(b); err != nil || got != want {
						return fmt.Errorf("%s with %s: punched %v, %v, want %v", a.Name, b.Name, got, err, want)
					}
					return nil
				})
			}
			if err := pairs.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPunchIPv6(t *testing.T) {
	t.Parallel()
	lab := New(t)
	r := lab.Reflector()
	a, b := lab.Network(DualStackOffice).Host("a"), lab.Network(DualStackOffice).Host("b")
	if got, err := r.Punch(a, b); err != nil || !got {
		t.Errorf("two firewalls over IPv6: punched %v, %v, want true", got, err)
	}
	behind := lab.Network(Spec{Name: "v6-behind-carrier", Family: Dual, NAT: PortRestricted, Carrier: Symmetric, Firewall: true}).Host("c")
	if got, err := r.Punch(a, behind); err != nil || !got {
		t.Errorf("IPv6 behind a carrier: punched %v, %v, want true", got, err)
	}
}

// Two hosts behind one router.
func TestWithin(t *testing.T) {
	for _, c := range []struct {
		spec    Spec
		lan     bool // by their own addresses
		hairpin bool // by their public addresses
	}{
		{Home, true, false},
		{HomeHairpin, true, true},
		{Spec{Name: "cone+hairpin", NAT: FullCone, Hairpin: true}, true, true},
		{Guest, false, false},
		{GuestHairpin, false, true},
		{Cloud, true, true},
		{CloudNoHairpin, true, false},
	} {
		t.Run(c.spec.Name, func(t *testing.T) {
			t.Parallel()
			lab := New(t)
			r := lab.Reflector()
			n := lab.Network(c.spec)
			a, b := n.Host("a"), n.Host("b")
			if got := reaches(t, a, b); got != c.lan {
				t.Errorf("over the LAN: %v, want %v", got, c.lan)
			}
			got, err := r.Punch(a, b)
			if err != nil || got != c.hairpin {
				t.Errorf("by public addresses: %v, %v, want %v", got, err, c.hairpin)
			}
			if want := c.lan || c.hairpin; c.spec.PunchesWithin() != want {
				t.Errorf("theory says %v, want %v", c.spec.PunchesWithin(), want)
			}
		})
	}
	for _, carrier := range []Spec{CarrierNet, CarrierNetHairpin} {
		t.Run(carrier.Name, func(t *testing.T) {
			t.Parallel()
			lab := New(t)
			r := lab.Reflector()
			n := lab.Network(carrier)
			got, err := r.Punch(n.Behind(Home).Host("a"), n.Behind(Home).Host("b"))
			if err != nil || got != carrier.Hairpin {
				t.Errorf("two homes at one carrier: punched %v, %v, want %v", got, err, carrier.Hairpin)
			}
		})
	}
}

func TestFilters(t *testing.T) {
	type way struct {
		network string
		port    uint16
	}
	ways := []way{{"udp", 3478}, {"tcp", 443}, {"tcp", 8080}}
	for _, c := range []struct {
		spec Spec
		want []bool
	}{
		{Home, []bool{true, true, true}},
		{UDPBlocked, []bool{false, true, true}},
		{Port443, []bool{false, true, false}},
		{ProxyOnly, []bool{false, false, false}},
	} {
		t.Run(c.spec.Name, func(t *testing.T) {
			t.Parallel()
			lab := New(t)
			r := lab.Reflector()
			echoTCP(t, r.Host, 443, 8080)
			h := lab.Network(c.spec).Host("a")
			for i, w := range ways {
				got := false
				if w.network == "udp" {
					b, err := r.Probe(h)
					if err != nil {
						t.Fatal(err)
					}
					got = b.UDP
				} else {
					got = connects(h, netip.AddrPortFrom(r.Host.Addr(), w.port))
				}
				if got != c.want[i] {
					t.Errorf("%v: %v, want %v", w, got, c.want[i])
				}
			}
		})
	}
}

func TestProxy(t *testing.T) {
	t.Parallel()
	lab := New(t)
	server := lab.Network(Open).Host("server")
	echoTCP(t, server, 443)
	lab.Name("call.example", server.Addr())
	n := lab.Network(ProxyOnly)
	h := n.Host("a")
	proxy := n.Proxy()
	for _, target := range []string{"call.example:443", server.Addr().String() + ":443"} {
		c, err := h.Dial(t.Context(), "tcp", proxy.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\nping", target, target); err != nil {
			t.Fatal(err)
		}
		var got []byte
		for buf := make([]byte, 256); len(got) < 4 || string(got[len(got)-4:]) != "ping"; {
			k, err := c.Read(buf)
			if err != nil {
				t.Fatalf("through the proxy to %s: %q, then %v; want an echo", target, got, err)
			}
			got = append(got, buf[:k]...)
		}
	}
}

func TestFamilies(t *testing.T) {
	t.Parallel()
	lab := New(t)
	server := lab.Network(OpenDual).Host("server")
	echoTCP(t, server, 443)
	v4, v6 := netip.AddrPortFrom(server.Addr(), 443), netip.AddrPortFrom(server.Addr6(), 443)
	for _, c := range []struct {
		spec   Spec
		v4, v6 bool
	}{{Home, true, false}, {IPv6, false, true}, {DualStack, true, true}} {
		h := lab.Network(c.spec).Host("h-" + c.spec.Name)
		got4, got6 := connects(h, v4), connects(h, v6)
		// What should work may need a moment on a busy machine.
		for deadline := time.Now().Add(20 * time.Second); (c.v4 && !got4 || c.v6 && !got6) && time.Now().Before(deadline); {
			got4, got6 = connects(h, v4), connects(h, v6)
		}
		if got4 != c.v4 || got6 != c.v6 {
			t.Errorf("%s: reaches IPv4 %v, IPv6 %v, want %v, %v", c.spec.Name, got4, got6, c.v4, c.v6)
		}
	}
	if connects(server, netip.AddrPortFrom(lab.Network(Home).Host("hidden").Addr(), 443)) {
		t.Error("a private address can be reached from the internet")
	}
}

// A host cannot reach the machine that the laboratory runs on, nor what is beyond it.
func TestNoWayOut(t *testing.T) {
	t.Parallel()
	lab := New(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	h := lab.Network(Open).Host("a")
	for _, to := range []string{ln.Addr().String(), "1.1.1.1:53"} {
		if connects(h, netip.MustParseAddrPort(to)) {
			t.Errorf("reached %s from inside", to)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	lab := New(t)
	h := lab.Network(Open).Host("a")
	lab.Name("call.example", netip.MustParseAddr("45.80.9.9"))
	for _, name := range []string{"call.example", "call.example."} {
		out, err := h.Command(t.Context(), "getent", "ahostsv4", name).Output()
		if err != nil || len(out) < 9 || string(out[:9]) != "45.80.9.9" {
			t.Errorf("%s: %q, %v, want 45.80.9.9", name, out, err)
		}
	}
	h.Override("call.example", netip.MustParseAddr("45.80.9.8"))
	if out, err := h.Command(t.Context(), "getent", "ahostsv4", "call.example").Output(); err != nil || string(out[:9]) != "45.80.9.8" {
		t.Errorf("overridden: %q, %v, want 45.80.9.8", out, err)
	}
}

// echoTCP answers on ports of a host until the test ends.
func echoTCP(t *testing.T, h *Host, ports ...int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	t.Cleanup(func() { cancel(); serving.Wait() })
	for _, p := range ports {
		ln, err := h.Listen(fmt.Sprintf(":%d", p))
		if err != nil {
			t.Fatal(err)
		}
		context.AfterFunc(ctx, func() { ln.Close() })
		serving.Go(func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				context.AfterFunc(ctx, func() { c.Close() }) // its client may be cut off
				serving.Go(func() {
					defer c.Close()
					_, _ = io.Copy(c, c) // until either end goes
				})
			}
		})
	}
}

func connects(h *Host, to netip.AddrPort) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 700*time.Millisecond)
	defer cancel()
	c, err := h.Dial(ctx, "tcp", to.String())
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// reaches says whether a datagram of a arrives at b's own address.
func reaches(t *testing.T, a, b *Host) bool {
	t.Helper()
	in, err := b.ListenUDP(":0")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := a.ListenUDP(":0")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	port := in.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	_ = in.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	if _, err := out.WriteToUDPAddrPort([]byte("x"), netip.AddrPortFrom(b.Addr(), port)); err != nil {
		return false
	}
	_, _, err = in.ReadFromUDP(make([]byte, 16))
	return err == nil
}
