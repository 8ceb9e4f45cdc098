package turn

import "testing"

// A library that gives no nonce would have been asked for one without end, by the loop that also has all else to do.
func TestNoNonceNoDismissal(t *testing.T) {
	s := start(t)
	one, other := s.fabric.lookup(dial(t, s, "udp").allocate()), s.fabric.lookup(dial(t, s, "udp").allocate())
	f := &front{server: one.front.server, link: one.front.link, dismissed: []*allocation{one, other}} // its messages reach nobody
	for i, want := range []*allocation{one, other, nil} {
		if b := f.dismissal(); (b == nil) != (want == nil) || f.leaving != want {
			t.Fatalf("message %d is %x, about %v; want one about %v", i, b, f.leaving, want)
		}
	}
}
