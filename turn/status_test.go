package turn

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestFared: what can be told of a user whose call does not connect.
func TestFared(t *testing.T) {
	s := start(t)
	told := func() string { return fmt.Sprint(s.UserStatus(ownUser)) }
	if got := told(); got != "[] false []" {
		t.Errorf("of somebody who never came: %s", got)
	}
	wrong := dial(t, s, "udp")
	wrong.own(s, ownUser)
	wrong.pass += "x"
	if a := wrong.ask(methodAllocate, requestedTransport(protocolUDP)); a.code != codeUnauthorized {
		t.Fatalf("a wrong password gets %d", a.code)
	}
	if got := told(); got != "[] false [401]" {
		t.Errorf("after a wrong password: %s", got)
	}
	stranger := dial(t, s, "udp")
	stranger.pass += "x"
	stranger.ask(methodAllocate, requestedTransport(protocolUDP))

	tcp, udp := dial(t, s, "tcp"), dial(t, s, "udp")
	tcp.own(s, ownUser)
	udp.own(s, ownUser)
	tcp.allocate()
	relay := udp.allocate()
	if a := udp.ask(methodRefresh, attribute{attrRequestedFamily, []byte{family6, 0, 0, 0}}); a.code != codePeerFamily {
		t.Fatalf("a refresh of another family gets %d", a.code)
	}
	if got := told(); got != "[tcp udp] false [401 443]" {
		t.Errorf("with allocations: %s", got)
	}
	outside, at := peer(t)
	udp.bind(0x4000, at)
	if _, err := outside.WriteToUDPAddrPort([]byte("hello"), relay); err != nil {
		t.Fatal(err)
	}
	udp.expectChannel(0x4000, "hello")
	eventually(t, "it has heard something", func() bool { return told() == "[tcp udp] true [401 443]" })
	if got := s.Announced(); len(got) != 1 || got[0].String() != "127.0.0.1" {
		t.Errorf("announced: %v", got)
	}
}

// TestRefusalsAreForgotten: by time, and under a flood.
func TestRefusalsAreForgotten(t *testing.T) {
	var r refusals
	now := time.Unix(1000, 0)
	r.note("u_a", 401, now)
	r.note("u_a", 486, now.Add(time.Minute))
	r.note("", 401, now)
	if got := r.of("u_a", now.Add(refusalsLast)); !slices.Equal(got, []int{486}) {
		t.Errorf("after two minutes: %v", got)
	}
	for range refusalsKept {
		r.note("u_b", 401, now)
	}
	if a, b := r.of("u_a", now), r.of("u_b", now); len(a) != 0 || len(b) != 1 {
		t.Errorf("after a flood: %v, %v", a, b)
	}
}
