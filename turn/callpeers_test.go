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

func TestPartiesAreForgotten(t *testing.T) {
	p := newCallPeers()
	u := p.hold("a")
	p.started("c", "a", "b")
	for i := range 2 * maxCandidates {
		p.candidates("c", "b", netip.AddrFrom4([4]byte{1, 1, 1, byte(i)}))
	}
	if n := len(p.users["b"].now.Load().addrs); n != maxCandidates {
		t.Errorf("%d addresses kept, want %d", n, maxCandidates)
	}
	p.started("c", "a", "b") // told twice
	p.ended("c")
	p.release(u)
	if len(p.users)+len(p.calls) != 0 {
		t.Errorf("left: %v, %v", p.users, p.calls)
	}
}
