package netaddr

import (
	"net/netip"
	"slices"
	"testing"
)

func TestChoose(t *testing.T) {
	at := func(iface, addr string) candidate { return candidate{iface, netip.MustParseAddr(addr)} }
	for _, tt := range []struct {
		name string
		all  []candidate
		want []string
	}{
		{"public before private", []candidate{at("eth0", "10.1.2.3"), at("eth1", "8.8.4.4")}, []string{"8.8.4.4"}},
		{"a real interface before a bridge", []candidate{at("docker0", "172.17.0.1"), at("wlan0", "192.168.1.7")}, []string{"192.168.1.7"}},
		{"carrier-grade counts as private", []candidate{at("ppp0", "100.64.3.3"), at("eth0", "9.9.9.9")}, []string{"9.9.9.9"}},
		{"loopback when there is nothing else", []candidate{at("lo", "127.0.0.1"), at("lo", "::1")}, []string{"127.0.0.1"}},
		{"no loopback beside a real address", []candidate{at("lo", "127.0.0.1"), at("lo", "::1"), at("eth0", "2a00::5")}, []string{"2a00::5"}},
		{"one of each family", []candidate{at("lo", "127.0.0.1"), at("eth0", "192.168.1.7"), at("eth0", "2a00::5"), at("eth0", "fe80::1")}, []string{"192.168.1.7", "2a00::5"}},
		{"no loopback beside a real address", []candidate{at("lo", "127.0.0.1"), at("eth0", "2a00::5"), at("lo", "::1")}, []string{"2a00::5"}},
		{"link-local never", []candidate{at("eth0", "169.254.3.4"), at("eth0", "fe80::1")}, nil},
		{"global IPv6 before unique local", []candidate{at("eth0", "fd00::2"), at("eth0", "2a00::5")}, []string{"2a00::5"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range choose(tt.all) {
				got = append(got, f.Addr.String())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestFromInterfaces(t *testing.T) {
	found, err := FromInterfaces()
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("found no address, not even loopback")
	}
	for _, f := range found {
		if !f.Addr.IsValid() || f.How == "" {
			t.Errorf("got %+v, want an address and how it was found", f)
		}
	}
}
