package turn

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestPorts(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.RelayPorts = "49500-49509" })
	taken := map[uint16]bool{}
	for range 10 {
		c := dial(t, s, "udp")
		a := c.ask(methodAllocate, requestedTransport(protocolUDP))
		if a.code == codeCapacity { // another program has one of them
			continue
		}
		relay, _ := xorAddress(attributeOf(a.raw, attrXORRelayedAddress), a.raw[8:20])
		if p := relay.Port(); p < 49500 || p > 49509 || taken[p] {
			t.Errorf("port %d, outside or taken", p)
		}
		taken[relay.Port()] = true
	}
	if got := dial(t, s, "udp").ask(methodAllocate, requestedTransport(protocolUDP)).code; got != codeCapacity {
		t.Errorf("all taken: got %d, want 508", got)
	}
}

// A port that another program has is not given out.
func TestTakenPortIsPassedOver(t *testing.T) {
	conn, addr := peer(t)
	s := start(t, func(c *Config, _ *limits) { c.RelayPorts = fmt.Sprintf("%d-%d", addr.Port(), addr.Port()) })
	if got := dial(t, s, "udp").ask(methodAllocate, requestedTransport(protocolUDP)).code; got != codeCapacity {
		t.Errorf("got %d, want 508", got)
	}
	conn.Close()
	dial(t, s, "udp").allocate()
}

// Without relay ports nothing outside is reached.
func TestNoRelayPorts(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.RelayPorts = "none" })
	c := dial(t, s, "udp")
	c.allocate()
	if got := c.ask(methodCreatePermission, peerAddress(netip.MustParseAddrPort("127.0.0.2:9"))).code; got != codeForbidden {
		t.Errorf("got %d, want 403", got)
	}
}
