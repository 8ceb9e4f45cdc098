package turn

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAnswers has the codes that the library does not give, or gives wrongly.
func TestAnswers(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.AllowPeers = append(c.AllowPeers, "::1") })
	peer4 := peerAddress(netip.MustParseAddrPort("127.0.0.1:9"))
	peer6 := peerAddress(netip.MustParseAddrPort("[::1]:9"))
	family := func(f byte) attribute { return attribute{attrRequestedFamily, []byte{f, 0, 0, 0}} }
	udp := requestedTransport(protocolUDP)
	for _, c := range []struct {
		name      string
		allocated bool
		method    uint16
		attrs     []attribute
		want      int
	}{
		{"no transport", false, methodAllocate, nil, codeBadRequest},
		{"a TCP relay", false, methodAllocate, []attribute{requestedTransport(6)}, codeTransport},
		{"another transport", false, methodAllocate, []attribute{requestedTransport(132)}, codeTransport},
		{"IPv4 by name", false, methodAllocate, []attribute{udp, family(1)}, 0},
		{"IPv6 without an address", false, methodAllocate, []attribute{udp, family(2)}, codeFamily},
		{"an unknown family", false, methodAllocate, []attribute{udp, family(3)}, codeFamily},
		{"an even port", false, methodAllocate, []attribute{udp, {attrEvenPort, []byte{0}}}, 0},
		{"an even port and the next", false, methodAllocate, []attribute{udp, {attrEvenPort, []byte{0x80}}}, 0},
		{"an even port that is reserved", false, methodAllocate,
			[]attribute{udp, {attrEvenPort, []byte{0}}, {attrReservationToken, make([]byte, 8)}}, codeBadRequest},
		{"a reserved port", false, methodAllocate, []attribute{udp, {attrReservationToken, make([]byte, 8)}}, codeCapacity},
		{"a reserved port of a family", false, methodAllocate, []attribute{udp, family(1), {attrReservationToken, make([]byte, 8)}}, codeBadRequest},
		{"DONT-FRAGMENT", false, methodAllocate, []attribute{udp, {attrDontFragment, nil}}, codeUnknownAttribute},
		{"an attribute that must be understood", false, methodAllocate, []attribute{udp, {0x7abc, []byte{1}}}, codeUnknownAttribute},
		{"one that need not", false, methodAllocate, []attribute{udp, {0x8abc, []byte{1}}}, 0},
		{"a second allocation", true, methodAllocate, []attribute{udp}, codeMismatch},
		{"refresh of nothing", false, methodRefresh, nil, codeMismatch},
		{"deletion of nothing", false, methodRefresh, []attribute{lifetime(0)}, codeMismatch},
		{"permission for nothing", false, methodCreatePermission, []attribute{peer4}, codeMismatch},
		{"channel for nothing", false, methodChannelBind, []attribute{channelNumber(0x4000), peer4}, codeMismatch},
		{"refresh", true, methodRefresh, nil, 0},
		{"refresh of the family", true, methodRefresh, []attribute{family(1)}, 0},
		{"refresh of the other family", true, methodRefresh, []attribute{family(2)}, codePeerFamily},
		{"refresh with an attribute that must be understood", true, methodRefresh, []attribute{{0x7abc, nil}}, codeUnknownAttribute},
		{"deletion", true, methodRefresh, []attribute{lifetime(0)}, 0},
		{"permission for nobody", true, methodCreatePermission, nil, codeBadRequest},
		{"permission of the other family", true, methodCreatePermission, []attribute{peer6}, codePeerFamily},
		{"permission for one of both", true, methodCreatePermission, []attribute{peer4, peer6}, codePeerFamily},
		{"permission for one allowed and one not", true, methodCreatePermission,
			[]attribute{peer4, peerAddress(netip.MustParseAddrPort("10.0.0.1:9"))}, codeForbidden},
		{"permission", true, methodCreatePermission, []attribute{peer4}, 0},
		{"channel without a number", true, methodChannelBind, []attribute{peer4}, codeBadRequest},
		{"channel without a peer", true, methodChannelBind, []attribute{channelNumber(0x4000)}, codeBadRequest},
		{"channel to two peers", true, methodChannelBind, []attribute{channelNumber(0x4000), peer4, peer4}, codeBadRequest},
		{"channel to port 0", true, methodChannelBind, []attribute{channelNumber(0x4000), peerAddress(netip.MustParseAddrPort("127.0.0.1:0"))}, codeBadRequest},
		{"channel of the other family", true, methodChannelBind, []attribute{channelNumber(0x4000), peer6}, codePeerFamily},
		{"channel", true, methodChannelBind, []attribute{channelNumber(0x4fff), peer4}, 0},
	} {
		for _, network := range []string{"udp", "tcp"} {
			cl := dial(t, s, network)
			if c.allocated {
				cl.allocate()
			}
			a := cl.ask(c.method, c.attrs...)
			if a.code != c.want {
				t.Errorf("%s over %s: got %d, want %d", c.name, network, a.code, c.want)
			}
			if a.code > 0 {
				checkSigned(t, c.name, cl, a.raw)
			}
			if cl.ask(methodRefresh, lifetime(0)); a.code == codeUnknownAttribute && len(attributeOf(a.raw, attrUnknownAttributes)) != 2 {
				t.Errorf("%s: 420 does not say which: %x", c.name, a.raw)
			}
		}
	}
}

// checkSigned: an answer to who has proved a password is signed, so that nobody can make one up.
func checkSigned(t *testing.T, name string, c *client, raw []byte) {
	t.Helper()
	v := attributeOf(raw, attrIntegrity)
	if v == nil {
		// The library's own refusals come without: RFC 8656 does not demand it, the gate's rewriting adds it.
		t.Errorf("%s: the refusal is not signed", name)
		return
	}
	if want := sign(raw[:len(raw)-24], c.key()); !slices.Equal(v, want) {
		t.Errorf("%s: the signature is wrong", name)
	}
}

// TestWhoMayComeIn: a wrong password is 401 with a nonce, so that the client asks for another; the library says 400.
func TestWhoMayComeIn(t *testing.T) {
	s := start(t)
	in, past := time.Now().Add(time.Hour), time.Now().Add(-time.Second)
	issue := func(user string, at time.Time) [2]string {
		name, pass := s.credentials.issue(user, at)
		return [2]string{name, pass}
	}
	for _, c := range []struct {
		name string
		who  [2]string
		want int
	}{
		{"a static user", [2]string{"alice", "wonder"}, 0},
		{"a static user, wrong password", [2]string{"alice", "wander"}, codeUnauthorized},
		{"nobody", [2]string{"carol", "x"}, codeUnauthorized},
		{"no name", [2]string{"", ""}, codeUnauthorized},
		{"a time-limited name", issue("carol", in), 0},
		{"one without a user", issue("", in), 0},
		{"one of ours", issue(ownUser, in), 0},
		{"an expired one", issue("carol", past), codeUnauthorized},
		{"an expired one of ours", issue(ownUser, past), codeUnauthorized},
		{"another user's password", [2]string{issue("carol", in)[0], issue("dave", in)[1]}, codeUnauthorized},
		{"a changed time", [2]string{"9" + issue("carol", in)[0], issue("carol", in)[1]}, codeUnauthorized},
		{"no time", [2]string{":carol", password([]byte(testSecret), ":carol")}, codeUnauthorized},
		{"time zero", [2]string{"0:carol", password([]byte(testSecret), "0:carol")}, codeUnauthorized},
		{"a static user's name with a time", issue("alice", in), 0},
	} {
		cl := dial(t, s, "udp")
		cl.user, cl.pass = c.who[0], c.who[1]
		if a := cl.ask(methodAllocate, requestedTransport(protocolUDP)); a.code != c.want || (a.code != 0 && !cl.learn(a)) {
			t.Errorf("%s: got %d, want %d with a nonce", c.name, a.code, c.want)
		}
	}

	cl := dial(t, s, "udp")
	cl.allocate()
	cl.realm = "elsewhere"
	if a := cl.roundTrip(cl.build(methodRefresh, classRequest)); a.code != codeUnauthorized {
		t.Errorf("another realm: got %d, want 401", a.code)
	}
	for _, left := range []uint16{attrUsername, attrRealm, attrNonce} {
		cl := dial(t, s, "udp")
		cl.ask(methodBinding)
		b := cl.build(methodAllocate, classRequest, requestedTransport(protocolUDP))
		for _, a := range []attribute{{attrUsername, []byte("alice")}, {attrRealm, []byte("duet")}, {attrNonce, []byte("n")}, {attrIntegrity, make([]byte, 20)}} {
			if a.typ != left {
				b = appendAttribute(b, a.typ, a.value)
			}
		}
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize))
		if a := cl.roundTrip(b); a.code != codeBadRequest {
			t.Errorf("without attribute %#x: got %d, want 400", left, a.code)
		}
	}
}

// TestLongCallsSurviveTheirCredential: the library's own handler refuses every Refresh after expiry.
func TestLongCallsSurviveTheirCredential(t *testing.T) {
	s := start(t)
	for _, network := range []string{"udp", "tcp"} {
		c := dial(t, s, network).own(s, ownUser)
		c.allocate()
		outside, addr := peer(t)
		c.user, c.pass = s.credentials.issue(ownUser, time.Now().Add(-time.Hour)) // the same, an hour later
		c.mustAsk(methodRefresh)
		c.bind(0x4000, addr)
		c.send(channelData(0x4000, "still"))
		expectAt(t, outside, "still")

		c.user, c.pass = s.credentials.issue("another", time.Now().Add(-time.Hour))
		if a := c.ask(methodRefresh); a.code != codeUnauthorized {
			t.Errorf("another's expired credential: got %d, want 401", a.code)
		}
		c.user, c.pass = s.credentials.issue(ownUser, time.Now().Add(-time.Hour))
		c.mustAsk(methodRefresh, lifetime(0))
		if a := c.ask(methodAllocate, requestedTransport(protocolUDP)); a.code != codeUnauthorized {
			t.Errorf("a new allocation: got %d, want 401", a.code)
		}
	}
}

// TestLifetimes: the library gives whatever is asked for below an hour and ten minutes for more.
func TestLifetimes(t *testing.T) {
	s := start(t)
	for _, c := range []struct{ ask, want uint32 }{{1, 600}, {599, 600}, {601, 601}, {3000, 3000}, {3600, 3599}, {1 << 31, 3599}} {
		cl := dial(t, s, "udp")
		a := cl.mustAsk(methodAllocate, requestedTransport(protocolUDP), lifetime(c.ask))
		if got := binary.BigEndian.Uint32(attributeOf(a.raw, attrLifetime)); got != c.want {
			t.Errorf("Allocate for %d s: got %d, want %d", c.ask, got, c.want)
		}
		a = cl.mustAsk(methodRefresh, lifetime(c.ask))
		if got := binary.BigEndian.Uint32(attributeOf(a.raw, attrLifetime)); got != c.want {
			t.Errorf("Refresh for %d s: got %d, want %d", c.ask, got, c.want)
		}
	}
}

// TestAllocationsExpire: they end a little before the library's timer would end them, and the client can start anew.
func TestAllocationsExpire(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(_ *Config, l *limits) { l.minLifetime, l.expiryLead = 1, 500*time.Millisecond })
			c := dial(t, s, network)
			a := s.relays.lookup(c.allocate(lifetime(3)))
			a.awaitEnd(t)
			if got := c.ask(methodRefresh); got.code != codeMismatch {
				t.Errorf("Refresh after expiry: got %d, want 437", got.code)
			}
			b := s.relays.lookup(c.allocate(lifetime(600)))
			c.mustAsk(methodRefresh, lifetime(1))
			b.awaitEnd(t)
			eventually(t, "all are forgotten", func() bool { return s.relays.count() == 0 })
		})
	}
}

// TestRepeatedAllocate: a lost answer is asked for again with the same transaction, and is the same.
func TestRepeatedAllocate(t *testing.T) {
	s := start(t)
	c := dial(t, s, "udp")
	c.learn(c.roundTrip(c.build(methodAllocate, classRequest)))
	b := c.build(methodAllocate, classRequest, requestedTransport(protocolUDP))
	first, second := c.roundTrip(b), c.roundTrip(b)
	if first.code != 0 || !slices.Equal(first.raw, second.raw) {
		t.Errorf("got %x, then %x", first.raw, second.raw)
	}
	if s.relays.count() != 1 {
		t.Errorf("%d allocations, want 1", s.relays.count())
	}
}

// TestPairsOfPorts: the library opens and closes up to 128 sockets to find an even port, and never honours a token.
func TestPairsOfPorts(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.RelayPorts = "49600-49799" })
	for range 20 {
		c, d := dial(t, s, "udp"), dial(t, s, "tcp")
		a := c.mustAsk(methodAllocate, requestedTransport(protocolUDP), attribute{attrEvenPort, []byte{0x80}})
		relay, _ := xorAddress(attributeOf(a.raw, attrXORRelayedAddress), a.raw[8:20])
		token := attribute{attrReservationToken, attributeOf(a.raw, attrReservationToken)}
		if relay.Port()%2 != 0 || len(token.value) != 8 {
			t.Fatalf("port %d, token %q", relay.Port(), token.value)
		}
		if next := d.allocate(token); next.Port() != relay.Port()+1 {
			t.Errorf("the ports are %d and %d", relay.Port(), next.Port())
		}
		if got := dial(t, s, "udp").ask(methodAllocate, requestedTransport(protocolUDP), token).code; got != codeCapacity {
			t.Errorf("the token a second time: got %d, want 508", got)
		}
		c.mustAsk(methodRefresh, lifetime(0))
		d.mustAsk(methodRefresh, lifetime(0))
	}
	if n := s.relays.count(); n != 0 {
		t.Errorf("%d ports are still taken", n)
	}
}

func TestBinding(t *testing.T) {
	s := start(t)
	for _, network := range []string{"udp", "tcp"} {
		c := dial(t, s, network)
		a := c.roundTrip(c.build(methodBinding, classRequest))
		local, _ := addrPort(c.conn.LocalAddr())
		if got, ok := xorAddress(attributeOf(a.raw, attrXORMappedAddress), a.raw[8:20]); a.code != 0 || !ok || got.Port() != local.Port() {
			t.Errorf("got %d with %s, want %s", a.code, got, local)
		}
		if a := c.roundTrip(c.build(methodBinding, classRequest, attribute{0x0003, make([]byte, 4)})); a.code != codeUnknownAttribute {
			t.Errorf("CHANGE-REQUEST: got %d, want 420", a.code)
		}
		c.send(c.build(methodBinding, classIndication))
	}
}

func TestICEServers(t *testing.T) {
	s := start(t)
	udp, _ := s.Addrs()
	_, port, _ := strings.Cut(udp.String(), ":")
	for host, want := range map[string]string{
		"call.example.org": "call.example.org:", "localhost": "localhost:", "192.0.2.1": "192.0.2.1:", "2001:db8::1": "[2001:db8::1]:",
		"[2001:db8::1]": "[2001:db8::1]:", "": "127.0.0.1:", "a b": "127.0.0.1:", "evil.example?transport=tcp": "127.0.0.1:",
		"-x.example": "127.0.0.1:", "a..b": "127.0.0.1:", "0.0.0.0": "127.0.0.1:", "2130706433": "127.0.0.1:", "user@host": "127.0.0.1:",
		strings.Repeat("a.", 130): "127.0.0.1:",
	} {
		urls, user, _, _ := s.ICEServers(ownUser, host)
		if got := []string{"stun:" + want + port, "turn:" + want + port + "?transport=udp", "turn:" + want + port + "?transport=tcp"}; !slices.Equal(urls, got) {
			t.Errorf("host %q: got %q, want %q", host, urls, got)
		}
		if !strings.HasSuffix(user, ":"+ownUser) {
			t.Errorf("username %q", user)
		}
	}
}
