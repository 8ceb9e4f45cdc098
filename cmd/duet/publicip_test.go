package main

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"

	"duet/configs"
	"duet/internal/netaddr"
	"duet/relay"
	"duet/turn"
)

// TestPublicAddressFromASTUNServer: a process asks another one, and announces what that sees.
func TestPublicAddressFromASTUNServer(t *testing.T) {
	cfg := turn.DefaultConfig()
	cfg.Listen, cfg.PublicIP = "127.0.0.1:0", "127.0.0.1"
	other, err := turn.New(cfg, turn.Deps{Secret: []byte("of nobody")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- other.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	at, _ := other.Addrs()

	said := strings.Join(start(t, duet(t, []string{"DUET_TURN_PUBLIC_IP=stun:" + at.String()})).said, "\n")
	if want := "announces 127.0.0.1 (found by STUN server " + at.String() + ")"; strings.Count(said, want) != 2 {
		t.Errorf("got\n%s\nwant %q for TURN and for the relay", said, want)
	}
	said = strings.Join(start(t, duet(t, []string{"DUET_TURN_PUBLIC_IP=192.0.2.1", "DUET_RELAY_PUBLIC_IP=stun:" + at.String()})).said, "\n")
	for _, want := range []string{"announces 192.0.2.1 (turn.public_ip)", "announces 127.0.0.1 (found by STUN server " + at.String() + ")"} {
		if !strings.Contains(said, want) {
			t.Errorf("got\n%s\nwant %q", said, want)
		}
	}
}

func TestFollowedAddresses(t *testing.T) {
	cfg := configs.Default()
	cfg.TURN.Listen, cfg.Relay.Listen = "127.0.0.1:0", ":0"
	first, then := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	var p parts
	defer p.close()
	m, err := p.openMedia(cfg, func(l net.Listener) net.Listener { return l },
		turn.Deps{Log: quiet(), PublicIPs: []netip.Addr{first}, Secret: []byte("a secret for tests")},
		relay.Deps{Log: quiet(), PublicIPs: []netip.Addr{first}})
	if err != nil {
		t.Fatal(err)
	}
	found := []netaddr.Found{{Addr: then}}
	m.turnIs(found)
	m.relayIs(found)
	if t1, r := m.turn.Announced()[0], m.relay.Announced()[0]; t1 != then || r != then {
		t.Errorf("TURN announces %s and the relay %s, want %s", t1, r, then)
	}
	mediaParts{}.turnIs(found)
	mediaParts{}.relayIs(found)
}

// TestNoIPv4IsSaid: an operator whose machine has IPv6 alone learns what that means.
func TestNoIPv4IsSaid(t *testing.T) {
	cfg := configs.Default()
	cfg.TURN.Listen, cfg.TURN.PublicIP, cfg.Relay.Mode = "127.0.0.1:0", "2001:db8::7", relay.Off
	var p parts
	defer p.close()
	m, err := p.openMedia(cfg, func(l net.Listener) net.Listener { return l }, turn.Deps{Log: quiet(), Secret: []byte("a secret for tests")}, relay.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	m.follow(&p, cfg, nil, nil, slog.New(slog.NewTextHandler(&log, nil)))
	if !strings.Contains(log.String(), "no IPv4 address") {
		t.Errorf("got\n%s", &log)
	}
}
