//go:build linux

// What happens at the router during a connection: blocks, expiry, restart.

package natlab

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

func TestBlocks(t *testing.T) {
	t.Parallel()
	lab := New(t)
	server := lab.Network(Open).Host("server")
	echoTCP(t, server, 443, 8080)
	home := lab.Network(Home)
	h := home.Host("a")
	https, http := netip.AddrPortFrom(server.Addr(), 443), netip.AddrPortFrom(server.Addr(), 8080)
	open, err := h.Dial(t.Context(), "tcp", http.String())
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()

	home.Block(Block{Proto: "tcp", Ports: "443", Refuse: true}, Block{Proto: "udp", Ports: "3000-4000", Refuse: true}, Block{Proto: "tcp", Ports: "8080"})
	if _, err := h.Dial(t.Context(), "tcp", https.String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("refused TCP: %v, want connection refused", err)
	}
	udp, err := h.Dial(t.Context(), "udp", netip.AddrPortFrom(server.Addr(), 3478).String())
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	if _, err := udp.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = udp.SetReadDeadline(time.Now().Add(2 * time.Second))
	if _, err := udp.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("refused UDP: %v, want connection refused", err)
	}
	if connects(h, http) {
		t.Error("blocked TCP connects")
	}
	ping := func(wait time.Duration) error {
		_, _ = open.Write([]byte("x")) // the read tells
		_ = open.SetReadDeadline(time.Now().Add(wait))
		_, err := open.Read(make([]byte, 1))
		return err
	}
	if ping(300*time.Millisecond) == nil {
		t.Error("a connection from before the block still works")
	}
	home.Unblock()
	if err := ping(5 * time.Second); err != nil {
		t.Errorf("after the block: %v, want an echo", err)
	}
}

// A NAT's binding ends when it was idle for too long, and when the router restarts.
func TestBindings(t *testing.T) {
	t.Parallel()
	idle := func(*line) { <-time.After(2500 * time.Millisecond) } // not for anything: silence is what is tested
	short, usual := Home, Home
	short.Binding = time.Second
	for _, c := range []struct {
		name string
		spec Spec
		end  func(*line)
		down bool
	}{
		{"kept", usual, idle, true},
		{"expired", short, idle, false},
		{"router restarted", usual, func(l *line) { l.host.Link().net.Reboot() }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLine(t, c.spec)
			if up, down := l.ways(true, true); !up || !down {
				t.Fatalf("at first: up %v, down %v, want both", up, down)
			}
			c.end(l)
			near := netip.AddrPortFrom(l.host.Public(), l.sock.LocalAddr().(*net.UDPAddr).AddrPort().Port())
			_, _ = l.server.WriteToUDPAddrPort([]byte("x"), near)
			_ = l.sock.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			_, _, err := l.sock.ReadFromUDPAddrPort(make([]byte, 16))
			if got := err == nil; got != c.down {
				t.Errorf("a packet from outside arrives: %v, want %v", got, c.down)
			}
		})
	}
}
