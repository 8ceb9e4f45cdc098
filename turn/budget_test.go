package turn

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

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
