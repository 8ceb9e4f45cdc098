package turn

import (
	"net/netip"
	"testing"
	"time"
)

// The library searches channels one by one for every packet and takes any number of them.
func TestChannelsAreCapped(t *testing.T) {
	s := start(t, func(_ *Config, l *limits) { l.channels = 3 })
	c := dial(t, s, "udp")
	c.allocate()
	to := func(i int) attribute {
		return peerAddress(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(40000+i)))
	}
	for _, bad := range []uint16{0, 0x1000, 0x3fff, 0x8000, 0xffff} {
		if a := c.ask(methodChannelBind, channelNumber(bad), to(0)); a.code != codeBadRequest {
			t.Errorf("channel %#x: got %d, want 400", bad, a.code)
		}
	}
	for i := range 3 {
		c.mustAsk(methodChannelBind, channelNumber(0x4000+uint16(i)), to(i))
		c.mustAsk(methodChannelBind, channelNumber(0x4000+uint16(i)), to(i)) // again is a refresh
	}
	if a := c.ask(methodChannelBind, channelNumber(0x4003), to(3)); a.code != codeCapacity {
		t.Errorf("one too many: got %d, want 508", a.code)
	}
	if a := c.ask(methodChannelBind, channelNumber(0x4000), to(1)); a.code != codeBadRequest {
		t.Errorf("bound number, other peer: got %d, want 400", a.code)
	}
	if a := c.ask(methodChannelBind, channelNumber(0x4001), to(0)); a.code != codeBadRequest {
		t.Errorf("bound peer, other number: got %d, want 400", a.code)
	}
}

// TestChannelsExpire, and live on when they are bound again, like the library's.
func TestChannelsExpire(t *testing.T) {
	s := start(t, func(_ *Config, l *limits) { l.channelLifetime, l.grace = 2*time.Second, 0 })
	a, b, atA, atB := pair(t, s, "udp", "udp")
	outside, addr := peer(t)
	a.bind(0x4002, addr)
	begin := time.Now()
	for time.Since(begin) < 2500*time.Millisecond { // longer than one lifetime
		a.bind(0x4000, atB)
		b.bind(0x4001, atA)
		a.send(channelData(0x4000, "alive"))
		b.expectChannel(0x4001, "alive")
	}
	b.mustAsk(methodCreatePermission, peerAddress(atA))
	eventually(t, "the channels expire", func() bool {
		x, y := s.relays.lookup(atA), s.relays.lookup(atB)
		return x.channel(0x4000, s.clock()) == nil && y.channel(0x4001, s.clock()) == nil
	})
	a.send(channelData(0x4000, "late"))
	a.send(channelData(0x4002, "late"))
	a.mustAsk(methodRefresh)
	b.expectSilence("the sender's channel has expired")
	a.bind(0x4005, atB) // the old number does not count any more
	a.send(channelData(0x4005, "new"))
	if got := attributeOf(b.receive(5*time.Second), attrData); string(got) != "new" {
		t.Errorf("the receiver's channel has expired: got %q, want a Data indication", got)
	}
	outside.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, _, err := outside.ReadFromUDP(make([]byte, 100)); err == nil {
		t.Errorf("%d bytes arrived outside", n)
	}
}
