package turn

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// The library lets any valid user act on the allocation of a client address.
func TestAllocationBelongsToItsUser(t *testing.T) {
	s := start(t)
	c := dial(t, s, "udp")
	c.allocate()
	c.user, c.pass = "bob", "builder"
	peer := peerAddress(netip.MustParseAddrPort("127.0.0.1:9999"))
	for what, a := range map[string]answer{
		"Allocate":         c.ask(methodAllocate, requestedTransport(protocolUDP)),
		"Refresh":          c.ask(methodRefresh, lifetime(0)),
		"CreatePermission": c.ask(methodCreatePermission, peer),
		"ChannelBind":      c.ask(methodChannelBind, channelNumber(0x4000), peer),
	} {
		if a.code != codeWrongCredentials {
			t.Errorf("%s: got %d, want 441", what, a.code)
		}
	}
	c.user, c.pass = "alice", "wonder"
	c.mustAsk(methodRefresh)
}

// What follows MESSAGE-INTEGRITY is anybody's addition; the library obeyed it.
func TestAttributesAfterIntegrityAreIgnored(t *testing.T) {
	s := start(t)
	c := dial(t, s, "udp")
	c.allocate()
	outside, addr := peer(t)
	b := c.build(methodCreatePermission, classRequest)
	b = appendAttribute(b, attrXORPeerAddress, obfuscate(peerAddress(addr).value, b[8:headerSize]))
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize))
	if a := c.roundTrip(b); a.code != codeBadRequest {
		t.Errorf("got %d, want 400: no peer is left", a.code)
	}
	c.send(c.build(methodSend, classIndication, peerAddress(addr), attribute{attrData, []byte("smuggled")}))
	c.mustAsk(methodCreatePermission, peerAddress(addr))
	c.send(c.build(methodSend, classIndication, peerAddress(addr), attribute{attrData, []byte("permitted")}))
	expectAt(t, outside, "permitted")
}

func TestTwoSecrets(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.Secret, c.SecretPrevious = "the newer secret", "the older secret" })
	name := fmt.Sprint(time.Now().Add(time.Hour).Unix(), ":somebody")
	for secret, want := range map[string]int{"the newer secret": 0, "the older secret": 0, testSecret: codeUnauthorized} {
		c := dial(t, s, "udp")
		c.user, c.pass = name, password([]byte(secret), name)
		if got := c.ask(methodAllocate, requestedTransport(protocolUDP)).code; got != want {
			t.Errorf("%s: got %d, want %d", secret, got, want)
		}
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
		c.mustAsk(methodCreatePermission, peerAddress(addr))
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
