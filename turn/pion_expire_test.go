package turn

import "testing"

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
