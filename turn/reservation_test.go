package turn

import (
	"testing"
)

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

// A port that is reserved counts as an allocation until its token is used.
func TestReservationsCount(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.TotalAllocations = 3 })
	ask := func(attrs ...attribute) answer {
		return dial(t, s, "udp").ask(methodAllocate, append(attrs, requestedTransport(protocolUDP))...)
	}
	pair := attribute{attrEvenPort, []byte{0x80}}
	a := ask(pair)
	if a.code != 0 {
		t.Fatalf("got %d", a.code)
	}
	if got := ask(pair).code; got != codeCapacity {
		t.Errorf("a pair where one more fits: got %d, want 508", got)
	}
	if got := ask().code; got != 0 {
		t.Errorf("one where one more fits: got %d", got)
	}
	if got := ask().code; got != codeCapacity {
		t.Errorf("one too many: got %d, want 508", got)
	}
	if got := ask(attribute{attrReservationToken, attributeOf(a.raw, attrReservationToken)}).code; got != 0 {
		t.Errorf("what is reserved: got %d", got)
	}
	s.quotas.mu.Lock()
	defer s.quotas.mu.Unlock()
	if s.quotas.held != 3 {
		t.Errorf("%d are counted, want 3", s.quotas.held)
	}
}
