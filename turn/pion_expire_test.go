package turn

import (
	"net/netip"
	"sync"
	"testing"
)

// The library's timers and its close race with requests: run with -race, and a nil timer would crash the process.
func TestEndingRacesWithRequests(t *testing.T) {
	s := start(t, func(_ *Config, l *limits) { l.permissions = 1 << 20 })
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			c := dial(t, s, "udp")
			for round := range 5 {
				a := s.relays.lookup(c.allocate())
				for j := range 200 {
					ip := netip.AddrFrom4([4]byte{127, byte(i + 1), byte(round*8 + j>>8), byte(j)})
					c.send(c.build(methodCreatePermission, classRequest, peerAddress(netip.AddrPortFrom(ip, 9))))
					if j == 100 {
						a.expire()
					}
				}
				a.awaitEnd(t)
			}
		})
	}
	all.Wait()
}

// An allocation that is ended from outside is the library's until it has been told, which hits this one only.
func TestEndingSparesTheNext(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		s := start(t)
		c := dial(t, s, network)
		for range 20 {
			old := s.relays.lookup(c.allocate())
			old.gate.authority.expire(old) // waits its turn, perhaps behind the client's own wish
			c.ask(methodRefresh, lifetime(0))
			old.awaitEnd(t)
			fresh := s.relays.lookup(c.allocate())
			fresh.gate.authority.expire(old)
			c.mustAsk(methodRefresh)
			if fresh.isOver() {
				t.Fatal("the next allocation has ended too")
			}
			fresh.expire()
			if code := c.ask(methodRefresh).code; code != codeMismatch {
				t.Fatalf("Refresh of what is over: got %d, want 437", code)
			}
			fresh.awaitEnd(t)
		}
	}
}

// A library that gives no nonce would have been asked for one without end, by the loop that also has all else to do.
func TestNoNonceNoEnd(t *testing.T) {
	s := start(t)
	one, other := s.relays.lookup(dial(t, s, "udp").allocate()), s.relays.lookup(dial(t, s, "udp").allocate())
	l := &library{gate: one.gate, expired: []*allocation{one, other}} // its messages reach nobody
	for i, want := range []*allocation{one, other, nil} {
		if b, _ := l.nextEnd(); (b == nil) != (want == nil) || l.ending != want {
			t.Fatalf("message %d is %x, about %v; want one about %v", i, b, l.ending, want)
		}
	}
}
