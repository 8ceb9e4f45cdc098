package join

import (
	"net/netip"
	"testing"
	"time"
)

// TestJoinsAndRingsOfAnAddress: so many at once, so many a second, for a customer and not for an address of its network;
// loopback, where a proxy sits, has no bound.
func TestJoinsAndRingsOfAnAddress(t *testing.T) {
	l := NewLimits(100, 0, 100, 1000)
	now := time.Unix(1000, 0)
	joins := func(ip netip.Addr, now time.Time) bool { return l.MayJoin(ip, now) == 0 }
	for _, c := range []struct {
		what             string
		may              func(netip.Addr, time.Time) bool
		burst, perSecond int
	}{{"joins", joins, joinBurst, joinsPerSecond}, {"rings", l.MayRing, ringBurst, ringsPerSecond}} {
		for _, from := range []struct{ one, neighbour, other string }{{"203.0.113.9", "203.0.113.9", "203.0.113.10"}, {"2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"}} {
			one, neighbour, other := netip.MustParseAddr(from.one), netip.MustParseAddr(from.neighbour), netip.MustParseAddr(from.other)
			for _, ip := range []netip.Addr{one, other} {
				if _, status := l.Enter(ip); status != 0 {
					t.Fatal(status)
				}
			}
			count := func(ip netip.Addr, now time.Time) (n int) {
				for n < 10*c.burst && c.may(ip, now) {
					n++
				}
				return n
			}
			if n := count(one, now); n != c.burst {
				t.Errorf("%s of %s: %d at once, want %d", c.what, one, n, c.burst)
			}
			if count(neighbour, now) != 0 || count(other, now) != c.burst {
				t.Errorf("%s: %s is %s, and %s another", c.what, neighbour, one, other)
			}
			l.Leave(one, now) // connecting anew gives nothing back
			l.Enter(one)
			if n := count(one, now.Add(time.Second)); n != c.perSecond {
				t.Errorf("%s of %s: %d after a second, want %d", c.what, one, n, c.perSecond)
			}
		}
		wide := NewLimits(1e6, 100_000, 100, 1000)
		ip := netip.MustParseAddr("203.0.113.9")
		wide.Enter(ip)
		joined := 0
		for joined < 60_000 && wide.MayJoin(ip, now) == 0 {
			joined++
		}
		if joined != 50_000 {
			t.Errorf("%d joins at once where 100,000 may connect", joined)
		}
		if loop := netip.MustParseAddr("127.0.0.1"); !c.may(loop, now) {
			t.Errorf("no %s on loopback", c.what)
		}
	}
}
