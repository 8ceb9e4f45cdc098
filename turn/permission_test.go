package turn

import (
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Permissions, too, had no limit, and each has a timer.
func TestPermissionsAreCapped(t *testing.T) {
	s := start(t, func(_ *Config, l *limits) { l.permissions = 5 })
	c := dial(t, s, "udp")
	c.allocate()
	to := func(i int) attribute {
		return peerAddress(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(i)}), 4000))
	}
	for i := range 5 {
		c.mustAsk(methodCreatePermission, to(i))
	}
	if a := c.ask(methodCreatePermission, to(5)); a.code != codeCapacity {
		t.Errorf("one too many: got %d, want 508", a.code)
	}
	c.mustAsk(methodCreatePermission, to(0), to(4)) // what is there can be refreshed
	if a := c.ask(methodCreatePermission, to(0), to(6)); a.code != codeCapacity {
		t.Errorf("one too many among others: got %d, want 508", a.code)
	}
	if a := c.ask(methodChannelBind, channelNumber(0x4000), to(7)); a.code != codeCapacity {
		t.Errorf("by a channel: got %d, want 508", a.code)
	}
}

// Even with a permission that was somehow granted no packet goes to a denied address: each is judged again.
func TestEveryPacketIsJudged(t *testing.T) {
	s := start(t)
	c := dial(t, s, "udp")
	c.allocate()
	outside, addr := peer(t)
	c.bind(0x4000, addr)
	c.send(channelData(0x4000, "before"))
	expectAt(t, outside, "before")
	s.policy.allow.Store(new([]netip.Prefix)) // as if the operator had not allowed it
	s.policy.epoch.Add(1)
	c.send(channelData(0x4000, "after"))
	c.send(c.build(methodSend, classIndication, peerAddress(addr), attribute{attrData, []byte("after")}))
	c.mustAsk(methodRefresh)
	outside.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, _, err := outside.ReadFromUDP(make([]byte, 100)); err == nil {
		t.Errorf("%d bytes arrived", n)
	}
}

// lapse lets what a client has asked for run out.
func (a *allocation) lapse() {
	now := a.gate.server.clock()
	for _, p := range *a.permissions.Load() {
		p.until.Store(now)
	}
}

// Nothing from a peer is relayed when the permission has lapsed, on a channel neither (RFC 8656 sections 11.3 and 12.7).
func TestPermissionsLapse(t *testing.T) {
	for _, way := range ways {
		s := start(t)
		a, b := dial(t, s, "udp"), dial(t, s, "udp")
		atA, atB := a.allocate(), b.allocate()
		outside, addr := peerOn(t, "127.0.0.2")
		a.open(way, 0x4000, atB)
		a.open(way, 0x4001, addr)
		b.open(way, 0x4000, atA)
		outside.WriteToUDPAddrPort([]byte("before"), atA)
		a.hear(way, 0x4001, addr, "before")
		b.say(way, 0x4000, atA, "before")
		a.hear(way, 0x4000, atB, "before")
		s.relays.lookup(atA).lapse()
		outside.WriteToUDPAddrPort([]byte("after"), atA)
		b.say(way, 0x4000, atA, "after")
		eventually(t, "both are dropped", func() bool { return s.stats.dropped[dropNoPermission].Load() == 2 })
		a.expectSilence(way)
		a.open(way, 0x4000, atB)
		b.say(way, 0x4000, atA, "again")
		a.hear(way, 0x4000, atB, "again")
	}
}

// Permissions and channels last half a minute longer than RFC 8656 says, for clients that ask again at the last moment.
func TestGrace(t *testing.T) {
	s := start(t)
	a := dial(t, s, "udp")
	x := s.relays.lookup(a.allocate())
	_, addr := peer(t)
	before := s.clock()
	a.bind(0x4000, addr)
	after := s.clock()
	for lasts, ok := range map[time.Duration]func(int64) bool{
		5*time.Minute + 30*time.Second:  func(now int64) bool { return x.permitted(addr.Addr(), now) },
		10*time.Minute + 30*time.Second: func(now int64) bool { return x.channel(0x4000, now) != nil },
	} {
		if !ok(before+int64(lasts)-1) || ok(after+int64(lasts)) {
			t.Errorf("it does not last %s", lasts)
		}
	}
}

// 443 comes before 403: another family must be refused with it, an address may be refused (RFC 8656 sections 10.2, 12.2).
func TestFamilyBeforePolicy(t *testing.T) {
	s := start(t)
	c := dial(t, s, "udp")
	c.allocate()
	for i, p := range []string{"[2606:4700:4700::1111]:9", "[2606:4700:4700::1111]:4000", "[::1]:4000", "[fd00::1]:4000"} {
		at := peerAddress(netip.MustParseAddrPort(p))
		bind, permit := c.ask(methodChannelBind, channelNumber(uint16(0x4000+i)), at).code, c.ask(methodCreatePermission, at).code
		if bind != codePeerFamily || permit != codePeerFamily {
			t.Errorf("%s on an IPv4 relay: ChannelBind %d, CreatePermission %d, want 443 and 443", p, bind, permit)
		}
	}
}

// A permission for an address of the server's opens no way to the server itself, nor to what runs beside it: a channel, which
// names the port, is refused, and each other packet's port is judged.
func TestServerIsNoPeer(t *testing.T) {
	log := make(lines, 100)
	s := startWith(t, Deps{Log: slog.New(slog.NewTextHandler(log, nil))}, func(c *Config, _ *limits) { c.AllowPeers = nil })
	_, beside := peer(t)
	udp, _ := s.Addrs()
	c := dial(t, s, "udp")
	relay := c.allocate()
	for i, own := range []netip.AddrPort{udp.(*net.UDPAddr).AddrPort(), beside} {
		if a := c.ask(methodChannelBind, channelNumber(uint16(0x4000+i)), peerAddress(own)); a.code != codeForbidden {
			t.Errorf("a channel to %s: got %d, want 403", own, a.code)
		}
		c.open("indication", 0, own)
		c.say("indication", 0, own, string(c.build(methodBinding, classRequest)))
		eventually(t, "it is lost", func() bool { return s.stats.dropped[dropUnreachable].Load() == uint64(i+1) })
		c.expectSilence("indication")
	}
	c.bind(0x4002, relay) // somebody is there
	if n := len(log); n != 1 || !strings.Contains(<-log, "turn.allow_peers") {
		t.Errorf("%d lines tell the operator why, want 1 in a minute", n)
	}

	s = start(t, func(c *Config, _ *limits) { c.AllowPeers = []string{"127.0.0.1"} })
	named, at := peer(t)
	c = dial(t, s, "udp")
	c.allocate()
	c.bind(0x4000, at)
	c.send(channelData(0x4000, "to a media server beside it"))
	expectAt(t, named, "to a media server beside it")
}
