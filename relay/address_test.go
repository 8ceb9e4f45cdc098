package relay

import (
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// Answers named an address that had gone, for as long as the server ran.
func TestAnnouncedAddressesFollow(t *testing.T) {
	one, two, six := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("203.0.113.8"), netip.MustParseAddr("2001:db8::7")
	deps := Deps{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), PublicIPs: []netip.Addr{one}}
	s := startWith(t, func(c *Config) { c.Listen = ":0" }, deps)
	s.SetPublicIPs([]netip.Addr{two, six}) // pion knows of no IPv6
	s.SetPublicIPs(nil)
	s.SetPublicIPs([]netip.Addr{six})
	if got := s.Announced(); !slices.Equal(got, []netip.Addr{two}) || s.Reachable()[0].Addr() != two {
		t.Errorf("announces %s, reachable at %s, want %s", got, s.Reachable(), two)
	}
	if err := s.Open("c_1", nil); err != nil {
		t.Fatal(err)
	}
	c := join(t, s, "c_1", "alice", clientOptions{})
	offer, err := c.pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.Answer(t.Context(), "c_1", "alice", offer.SDP)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(answer, " "+two.String()+" ") || strings.Contains(answer, one.String()) {
		t.Errorf("want %s in\n%s", two, answer)
	}

	s = startWith(t, func(c *Config) { c.PublicIP = one.String() }, deps)
	s.SetPublicIPs([]netip.Addr{two})
	if got := s.Announced(); !slices.Equal(got, []netip.Addr{one}) {
		t.Errorf("announces %s, want what the operator named", got)
	}
}
