package turn

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// Answers to strangers are larger than their requests, so they are few.
func TestStrangersAreAnsweredSeldom(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.UnauthenticatedPerIP = 10 })
	known := dial(t, s, "udp")
	known.allocate()
	eventually(t, "a new second", func() bool { return s.budget.spend(netip.MustParseAddr("127.0.0.1"), time.Now().Add(time.Second)) })
	c, begin := dial(t, s, "udp"), time.Now()
	for i := range 1000 {
		method := []uint16{methodAllocate, methodBinding, methodRefresh, methodCreatePermission, methodChannelBind}[i%5]
		c.send(c.build(method, classRequest))
	}
	answers := 0
	for c.receive(300*time.Millisecond) != nil {
		answers++
	}
	if most := 10 * (2 + int(time.Since(begin)/time.Second)); answers == 0 || answers > most {
		t.Errorf("%d answers to 1000 strangers, want a few", answers)
	}
	known.mustAsk(methodRefresh)
	if !s.budget.spend(netip.MustParseAddr("192.0.2.1"), time.Now()) {
		t.Error("another address is not answered")
	}
}

// Who has a /56 or a /48 has as many /64s as he likes, and got the answers of each of them.
func TestBudgetOfWholeNetworks(t *testing.T) {
	for format, want := range map[string]int{"2001:db8::%x": 10, "2001:db8:0:%02x::1": 40, "2001:db8:0:%02x00::1": 160} {
		b, now, answered := newBudget(10), time.Now(), 0
		for i := range 1000 {
			if b.spend(netip.MustParseAddr(fmt.Sprintf(format, i%256)), now) {
				answered++
			}
		}
		if answered != want {
			t.Errorf("%s: answered %d, want %d", format, answered, want)
		}
		if !b.spend(netip.MustParseAddr(fmt.Sprintf(format, 1)), now.Add(time.Second)) {
			t.Errorf("%s: not answered in the next second", format)
		}
	}
}
