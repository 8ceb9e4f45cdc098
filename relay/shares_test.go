package relay

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// pairOf are the users of the i-th call, and one address for both.
func pairOf(i int) [2]string { return [2]string{fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i)} }

func at(ip string) [2]netip.Addr {
	a := netip.MustParseAddr(ip)
	return [2]netip.Addr{a, a}
}

// Rooms that nobody comes to do not keep others out, and who holds them waits.
func TestIdleRoomsGiveWay(t *testing.T) {
	s, now := newShares(3), time.Unix(1000, 0)
	var held []*lease
	for i := range 3 {
		l, _, err := s.take(pairOf(i), at("192.0.2.1"), now.Add(time.Duration(i)*time.Second))
		if i < 2 != (err == nil) {
			t.Fatalf("room %d of one network: %v", i, err)
		}
		held = append(held, l)
	}
	third, _, err := s.take(pairOf(2), at("192.0.2.2"), now.Add(2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	s.connected(third)
	now = now.Add(4 * time.Second)
	if _, _, err := s.take(pairOf(9), at("198.51.100.1"), now); err != ErrFull {
		t.Errorf("while all are young: %v", err)
	}
	now = now.Add(3 * time.Second)
	honest, evicted, err := s.take(pairOf(9), at("198.51.100.1"), now)
	if err != nil || evicted != held[0] {
		t.Fatalf("the oldest idle room does not give way: %v, %v", evicted == held[0], err)
	}
	if _, _, err := s.take(pairOf(0), at("192.0.2.1"), now.Add(lapseWait-1)); !errors.Is(err, errLapsed) {
		t.Errorf("who let a room lapse: %v", err)
	}
	s.connected(honest)
	s.connected(held[1])
	now = now.Add(lapseWait)
	if _, _, err := s.take(pairOf(7), at("198.51.100.2"), now); err != ErrFull {
		t.Errorf("rooms with legs give way: %v", err)
	}
	s.giveBack(honest, false, now)
	if _, _, err := s.take(pairOf(0), at("192.0.2.9"), now); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

// Closing a room and asking for another does not make it a young one.
func TestIdlenessGoesOn(t *testing.T) {
	s, now := newShares(1), time.Unix(1000, 0)
	l, _, err := s.take(pairOf(1), at("192.0.2.1"), now)
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		now = now.Add(idleTime - time.Second)
		s.giveBack(l, false, now)
		if l, _, err = s.take(pairOf(1), at("192.0.2.1"), now); err != nil {
			t.Fatal(err)
		}
	}
	if _, evicted, err := s.take(pairOf(2), at("198.51.100.1"), now); err != nil || evicted != l {
		t.Errorf("it does not give way: %v", err)
	}
}

// A network has three quarters, and a call within it counts once; a room lapses without harm while there are others.
func TestNetworkShare(t *testing.T) {
	s, now := newShares(8), time.Unix(1000, 0)
	for i := range 6 {
		if _, _, err := s.take(pairOf(i), at(fmt.Sprintf("2001:db8::%x", i)), now); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.take(pairOf(6), at("2001:db8::77"), now); !errors.Is(err, errNetworkFull) {
		t.Errorf("a seventh of eight: %v", err)
	}
	if _, _, err := s.take(pairOf(7), [2]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::77")}, now); !errors.Is(err, errNetworkFull) {
		t.Errorf("one end in the full network: %v", err)
	}
	if _, _, err := s.take(pairOf(8), at("192.0.2.1"), now); err != nil {
		t.Errorf("another network: %v", err)
	}
	proxied := newShares(8)
	for i := range 8 {
		if _, _, err := proxied.take(pairOf(i), at("127.0.0.1"), now); err != nil {
			t.Errorf("call %d through a proxy on this machine: %v", i, err)
		}
	}
	roomy := newShares(8)
	l, _, _ := roomy.take(pairOf(1), at("192.0.2.1"), now)
	roomy.giveBack(l, true, now)
	if _, _, err := roomy.take(pairOf(1), at("192.0.2.1"), now); err != nil {
		t.Errorf("a room lapsed in an empty relay: %v", err)
	}
}

func TestUsersAreForgotten(t *testing.T) {
	s, now := newShares(10), time.Unix(1000, 0)
	for i := range 1000 {
		l, _, err := s.take(pairOf(i), at("192.0.2.1"), now)
		if err != nil {
			t.Fatal(err)
		}
		s.giveBack(l, false, now)
		now = now.Add(time.Second)
	}
	if n := len(s.users); n > 2*61 {
		t.Errorf("%d users are remembered after a thousand short calls", n)
	}
	if s.networks.Len() != 0 || len(s.leases) != 0 {
		t.Error("something is left of rooms that are closed")
	}
}

// An evicted room is told so, and its legs are gone.
func TestFullRelayMakesRoom(t *testing.T) {
	s := start(t, func(c *Config) { c.MaxCalls = 1 })
	e := &events{}
	if err := s.Reserve("c_1", pairOf(1), at("192.0.2.1"), e.tell); err != nil {
		t.Fatal(err)
	}
	if err := s.Reserve("c_2", pairOf(2), at("192.0.2.1"), nil); err == nil {
		t.Fatal("a young room gave way")
	}
	first := s.room("c_1")
	s.shares.mu.Lock()
	first.lease.idle = time.Now().Add(-idleTime)
	s.shares.mu.Unlock()
	if err := s.Reserve("c_2", pairOf(2), at("192.0.2.1"), nil); err != nil {
		t.Fatal(err)
	}
	until(t, "the first room to be told", func() bool { return e.has("failed the relay is full") })
	s.Close("c_1")
	if err := s.Offer("c_2", "a2", offerOf(1)); err != nil {
		t.Errorf("the new room: %v", err)
	}
}

// The limit on offers is the user's: another room does not renew it.
func TestOffersOfOneUser(t *testing.T) {
	s := start(t, nil)
	taken := 0
	for room := range 4 {
		if err := s.Reserve("c_1", pairOf(1), at("192.0.2.1"), nil); err != nil {
			t.Fatal(err)
		}
		for i := range offerBurst {
			err := s.Offer("c_1", "a1", offerOf(100*room+i))
			if err == nil {
				taken++
			} else if !strings.Contains(err.Error(), "too many offers") {
				t.Fatal(err)
			}
		}
		s.Close("c_1")
	}
	if taken < offerBurst || taken > offerBurst+10 { // and one for each second that this took
		t.Errorf("%d offers of one user were taken at once, %d are meant", taken, offerBurst)
	}
}
