package turn

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

func ips(texts ...string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

// An address that had gone was announced for ever, and every allocation refused. New ones get the address that there is now,
// and those that exist are still reached by them.
func TestAnnouncedAddressesFollow(t *testing.T) {
	s := startWith(t, Deps{PublicIPs: ips("127.0.0.1")}, func(c *Config, l *limits) {
		c.PublicIP, l.housekeeping = "", time.Hour
	})
	a, b := dial(t, s, "udp"), dial(t, s, "udp")
	b.user, b.pass = "bob", "builder"
	atA := a.allocate()
	s.SetPublicIPs(ips("127.0.0.2"))
	s.policy.own.Store(&map[netip.Addr]bool{ips("127.0.0.2")[0]: true}) // the interface has a /8, and only one name
	atB := b.allocate()
	if atA.Addr() != ips("127.0.0.1")[0] || atB.Addr() != ips("127.0.0.2")[0] || !slices.Equal(s.Announced(), ips("127.0.0.2", "127.0.0.1")) {
		t.Errorf("allocations at %s and %s, announces %s", atA, atB, s.Announced())
	}
	a.bind(0x4000, atB)
	b.bind(0x4001, atA)
	a.send(channelData(0x4000, "to the new address"))
	b.expectChannel(0x4001, "to the new address")
	b.send(channelData(0x4001, "to the former address"))
	a.expectChannel(0x4000, "to the former address")
	outside, at := peer(t)
	b.bind(0x4002, at)
	b.send(channelData(0x4002, "out"))
	if from := expectAt(t, outside, "out"); from != atB {
		t.Errorf("came from %s, want %s", from, atB)
	}
	a.mustAsk(methodRefresh, lifetime(0))
	eventually(t, "a former address is forgotten with its last allocation", func() bool {
		s.forgetFormer()
		return len(s.policy.announced.Load().former) == 0
	})
	s.SetPublicIPs(nil)
	if !slices.Equal(s.Announced(), ips("127.0.0.2")) {
		t.Errorf("announces %s though there is no other", s.Announced())
	}
}

// An allocation can be made where the announced address is not this machine's, or has gone from it.
func TestAddressOfNobody(t *testing.T) {
	s := startWith(t, Deps{PublicIPs: ips("203.0.113.7")}, func(c *Config, _ *limits) { c.PublicIP = "" })
	if at := dial(t, s, "udp").allocate(); at.Addr() != ips("203.0.113.7")[0] {
		t.Errorf("allocated %s", at)
	}
	s.SetPublicIPs(ips("127.0.0.1"))
	s.policy.own.Store(new(map[netip.Addr]bool))
	c := dial(t, s, "udp")
	c.allocate()
	outside, at := peer(t)
	c.bind(0x4000, at)
	c.send(channelData(0x4000, "out"))
	expectAt(t, outside, "out")
}

func TestConfiguredAddressesStay(t *testing.T) {
	s := start(t)
	s.SetPublicIPs(ips("127.0.0.2"))
	if at := dial(t, s, "udp").allocate(); at.Addr() != ips("127.0.0.1")[0] {
		t.Errorf("allocated %s, want the address that the operator named", at)
	}
}

// A browser asks for no family, and where there is but IPv6 it had no TURN.
func TestOnlyIPv6(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.PublicIP = "2001:db8::7" })
	c := dial(t, s, "udp")
	if at := c.allocate(); at.Addr() != ips("2001:db8::7")[0] {
		t.Errorf("allocated %s", at)
	}
	c = dial(t, s, "udp")
	if a := c.ask(methodAllocate, requestedTransport(protocolUDP), attribute{attrRequestedFamily, []byte{family4, 0, 0, 0}}); a.code != codeFamily {
		t.Errorf("IPv4 by name is answered with %d, want %d", a.code, codeFamily)
	}
}
