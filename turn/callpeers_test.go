package turn

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// own logs a client in as a user of ours.
func (c *client) own(s *Server, id string) *client {
	c.user, c.pass = s.credentials.issue(ownMark+id, time.Now().Add(time.Hour))
	return c
}

func TestPermissionsFollowTheCall(t *testing.T) {
	for _, way := range ways {
		t.Run(way, func(t *testing.T) { permissionsFollowTheCall(t, way) })
	}
}

func permissionsFollowTheCall(t *testing.T, way string) {
	id := func(n int) string { return fmt.Sprintf("u_%022d", n) }
	s := start(t, func(c *Config, _ *limits) { c.Permissions = "call" })
	a, b, stranger := dial(t, s, "udp").own(s, id(1)), dial(t, s, "tcp").own(s, id(2)), dial(t, s, "udp").own(s, id(3))
	atA, atB, atStranger := a.allocate(), b.allocate(), stranger.allocate()
	public := dial(t, s, "udp") // a static user
	atPublic := public.allocate()
	outside, addr := peerOn(t, "127.0.0.2") // 127.0.0.1 is announced, so it stands for relays
	permission := func(c *client, to netip.AddrPort) int { return c.ask(methodCreatePermission, peerAddress(to)).code }
	check := func(when string, c *client, to netip.AddrPort, want int) {
		t.Helper()
		if got := permission(c, to); got != want {
			t.Errorf("%s: got %d, want %d", when, got, want)
		}
	}

	check("no call, a relay", a, atB, codeForbidden)
	check("no call, outside", a, addr, codeForbidden)
	check("no call, a static user", public, addr, 0)
	s.Candidate("call", id(2), "127.0.0.2")
	check("a candidate without a call", a, addr, codeForbidden)

	s.CallStarted("call", id(1), id(2))
	check("in a call, no candidate", a, addr, codeForbidden)
	s.Candidate("call", id(1), "127.0.0.2")
	check("only one's own candidate", a, addr, codeForbidden)
	s.Candidate("call", id(3), "127.0.0.2")
	check("a third member's candidate", a, addr, codeForbidden)
	s.Candidate("other", id(2), "127.0.0.2")
	check("another call's candidate", a, addr, codeForbidden)
	s.Candidate("call", id(2), "not-an-address.local")
	s.Candidate("call", id(2), "::ffff:127.0.0.2")
	check("the other member's candidate", a, addr, 0)
	check("a third member, outside", stranger, addr, codeForbidden)

	a.open(way, 0x4000, addr)
	a.open(way, 0x4001, atB)
	a.mustAsk(methodCreatePermission, peerAddress(atStranger))
	b.open(way, 0x4002, atA)
	check("a third member, a relay", stranger, atA, codeForbidden)
	public.mustAsk(methodCreatePermission, peerAddress(atA)) // the address is ours, the port is not known yet

	a.say(way, 0x4000, addr, "out")
	from := expectAt(t, outside, "out")
	outside.WriteToUDPAddrPort([]byte("in"), from)
	a.hear(way, 0x4000, addr, "in")
	a.say(way, 0x4001, atB, "to b")
	b.hear(way, 0x4002, atA, "to b")

	// What the library would let through, but the call does not.
	data := attribute{attrData, []byte("wrong")}
	public.send(public.build(methodSend, classIndication, peerAddress(atA), data))
	public.send(public.build(methodSend, classIndication, peerAddress(atStranger), data))
	a.send(a.build(methodSend, classIndication, peerAddress(atStranger), data))
	public.mustAsk(methodRefresh)
	a.mustAsk(methodRefresh)
	public.mustAsk(methodCreatePermission, peerAddress(atPublic))
	public.send(public.build(methodSend, classIndication, peerAddress(atPublic), attribute{attrData, []byte("self")}))
	if got := attributeOf(public.receive(5*time.Second), attrData); string(got) != "self" {
		t.Errorf("a static user to itself: got %q", got)
	}
	b.say(way, 0x4002, atA, "to a")
	a.hear(way, 0x4001, atB, "to a") // and nothing before it

	// The end takes effect with the next packet, both ways.
	s.CallEnded("call")
	a.say(way, 0x4000, addr, "late")
	a.say(way, 0x4001, atB, "late")
	b.say(way, 0x4002, atA, "late")
	outside.WriteToUDPAddrPort([]byte("late"), from)
	a.mustAsk(methodRefresh)
	b.mustAsk(methodRefresh)
	check("after the call", a, addr, codeForbidden)
	check("after the call", a, atB, codeForbidden)
	outside.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, _, err := outside.ReadFromUDP(make([]byte, 100)); err == nil {
		t.Errorf("%d bytes arrived outside", n)
	}
	for _, c := range []*client{a, b, stranger} {
		if in := c.receive(100 * time.Millisecond); in != nil {
			t.Errorf("%x arrived", in)
		}
	}

	// Another call's end is not this call's end.
	s.CallStarted("one", id(1), id(2))
	s.CallStarted("two", id(1), id(3))
	s.CallEnded("one")
	a.open(way, 0x4003, atStranger)
	stranger.open(way, 0x4000, atA)
	a.say(way, 0x4003, atStranger, "two")
	stranger.hear(way, 0x4000, atA, "two")
	s.CallEnded("two")
	s.CallEnded("two")
}

// Two users who agree reach no private network.
func TestCallsDoNotOpenDeniedRanges(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.Permissions, c.AllowPeers = "call", nil })
	a := dial(t, s, "udp").own(s, ownUser)
	a.allocate()
	s.CallStarted("c", ownUser, "other")
	for _, ip := range []string{"127.0.0.2", "10.0.0.1", "169.254.169.254", "::1", "1.1.1.1"} {
		s.Candidate("c", "other", ip)
		want := codeForbidden
		switch ip {
		case "1.1.1.1":
			want = 0
		case "::1":
			want = codePeerFamily
		}
		if got := a.ask(methodCreatePermission, peerAddress(netip.AddrPortFrom(netip.MustParseAddr(ip), 9))).code; got != want {
			t.Errorf("%s: got %d, want %d", ip, got, want)
		}
	}
}

// Whoever is on both ends of a call reached every public address by naming it, 64 in each call. Now addresses count that the
// server has seen, at the user's connection and at its allocations, and few others.
func TestForeignAddressesAreFew(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.Permissions, c.AllowPeers = "call", []string{"127.0.0.0/8"} })
	const other = "u_other0000000000000000000"
	a := dial(t, s, "udp").own(s, ownUser)
	a.allocate()
	reaches := func(ip string) bool {
		at := netip.AddrPortFrom(netip.MustParseAddr(ip), 4000)
		return a.ask(methodCreatePermission, peerAddress(at)).code == 0
	}
	name := func(ip string) bool {
		s.Candidate("c", other, ip)
		return reaches(ip)
	}
	opened := 0
	for call := range 3 {
		s.CallStarted("c", ownUser, other)
		for i := range 20 {
			if name(fmt.Sprintf("8.8.%d.%d", call, i)) {
				opened++
			}
		}
		s.CallEnded("c")
	}
	if opened != maxForeign {
		t.Errorf("%d addresses that nothing but the other party's word speaks for were opened, want %d", opened, maxForeign)
	}

	s.CallStarted("c", ownUser, other)
	if !name("8.8.0.0") {
		t.Error("what counted an hour ago does not count in the next call")
	}
	for _, private := range []string{"10.0.0.1", "192.168.0.1", "fe80::1"} {
		s.Candidate("c", other, private)
	}
	if name("127.0.0.7") {
		t.Error("one more is opened")
	}
	b := dialFrom(t, s, "udp", "127.0.0.7").own(s, other)
	b.allocate()
	if !reaches("127.0.0.7") {
		t.Error("where the other party has an allocation it is not reached")
	}
	s.Seen("c", other, "9.9.9.9")
	if !reaches("9.9.9.9") {
		t.Error("where the other party is connected it is not reached")
	}
	if name("9.9.9.10") {
		t.Error("beside it, in IPv4, is somebody else")
	}
}

func TestSeenNetworks(t *testing.T) {
	p, now := newCallPeers(), time.Now()
	addr := netip.MustParseAddr
	u := p.hold("b", addr("2001:db8:1:2::3"))
	p.started("c", "a", "b")
	open := func(ip string) bool { return p.users["a"].reaches(addr(ip)) }
	for i := range maxForeign {
		p.candidate("c", "b", netip.AddrFrom4([4]byte{1, 1, 1, byte(i)}), now)
	}
	p.candidate("c", "b", addr("2001:db8:1:2:ffff::1"), now)
	p.candidate("c", "b", addr("2001:db8:1:3::1"), now)
	if !open("2001:db8:1:2:ffff::1") || open("2001:db8:1:3::1") {
		t.Error("a /64 in which a user was seen is its own, and no other")
	}
	p.connected("c", "b", addr("2001:db8:1:3::9"))
	if !open("2001:db8:1:3::1") {
		t.Error("an address that was named before the user was seen there stays closed")
	}
	for i := range 2 * maxSeen { // which does not grow
		p.connected("c", "b", netip.AddrFrom4([4]byte{2, 2, 2, byte(i)}))
	}
	if len(u.seen) != maxSeen {
		t.Errorf("%d networks are remembered, want %d", len(u.seen), maxSeen)
	}
	p.forget(now.Add(foreignTime))
	p.ended("c")
	p.started("d", "a", "b")
	for i := range 2 * maxForeign {
		p.candidate("d", "b", netip.AddrFrom4([4]byte{3, 3, 3, byte(i)}), now.Add(foreignTime))
	}
	if !open("3.3.3.7") || open("3.3.3.8") {
		t.Errorf("an hour later %d addresses are not opened", maxForeign)
	}
}

func TestPartiesAreForgotten(t *testing.T) {
	p, now := newCallPeers(), time.Now()
	u := p.hold("a", netip.MustParseAddr("127.0.0.1"))
	p.started("c", "a", "b")
	p.connected("c", "b", netip.MustParseAddr("127.0.0.2"))
	for i := range 2 * maxCandidates {
		p.candidate("c", "b", netip.AddrFrom4([4]byte{1, 1, 1, byte(i)}), now)
	}
	if b := p.users["b"]; len(b.named) != maxCandidates || len(b.now.Load().addrs) != 1+maxForeign {
		t.Errorf("%d addresses kept and %d opened", len(b.named), len(b.now.Load().addrs))
	}
	p.started("c", "a", "b") // told twice
	p.ended("c")
	p.release(u)
	if len(p.users) != 1 {
		t.Errorf("left: %v, want who has named foreign addresses", p.users)
	}
	p.forget(now.Add(foreignTime))
	if len(p.users)+len(p.calls) != 0 {
		t.Errorf("left: %v, %v", p.users, p.calls)
	}
}
