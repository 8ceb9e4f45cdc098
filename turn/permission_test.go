package turn

import (
	"net/netip"
	"testing"
	"time"
)

// Permissions, too, had no limit, and each has a timer.
func TestPermissionsAreCapped(t *testing.T) {
	s := start(t, func(_ *Config, l *limits) { l.permissions = 5 })
	c := dial(t, s, "udp")
	c.allocate()
	to := func(i int) attribute {
		return peerAddress(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(i)}), 9))
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
