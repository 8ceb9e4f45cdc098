package main

import (
	"context"
	"strings"
	"testing"

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
