package turn

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestPlots(t *testing.T) {
	const total = 1000 // packets
	for _, c := range []struct {
		name string
		from func(int) string
		want int
	}{
		{"an IPv4 address", func(int) string { return "192.0.2.1" }, total / 4},
		{"a /64", func(i int) string { return fmt.Sprintf("2001:db8::%x", i) }, total / 4},
		{"a /56", func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i%256) }, total / 2},
		{"a /48", func(i int) string { return fmt.Sprintf("2001:db8:0:%x00::1", i%256) }, total * 3 / 4},
		{"everybody", func(i int) string { return fmt.Sprintf("2001:db8:%x::1", i) }, total},
	} {
		var q commons
		q.all.perSecond = total * leastPacket
		taken := 0
		for i := range 2 * total {
			if q.take(q.enter(netip.MustParseAddr(c.from(i))), 1, int64(time.Second)) {
				taken++
			}
		}
		if d := taken - c.want; d < -5 || d > 5 {
			t.Errorf("%s takes %d, want %d", c.name, taken, c.want)
		}
		for i := range 2 * total {
			q.leave(netip.MustParseAddr(c.from(i)))
		}
		if len(q.networks) > 0 {
			t.Errorf("%s leaves %d plots behind", c.name, len(q.networks))
		}
	}
	var none commons
	for plots := none.enter(netip.MustParseAddr("192.0.2.1")); len(plots) < 3; plots = append(plots, plots[0]) {
		if !none.take(plots, 1<<40, 1) {
			t.Error("0 is a limit")
		}
	}
}

// One person with many names, which cost nothing where anybody may join, relayed without a bound. Who has a name by the
// operator's word is not concerned, nor somebody elsewhere.
func TestManyNamesOfOneAddress(t *testing.T) {
	for _, open := range []bool{true, false} {
		s := startWith(t, Deps{Open: open}, func(c *Config, _ *limits) { c.OpenBytesPerSecond = 40_000 })
		outside, addr := peer(t)
		came := map[string]int{}
		flood := func(name string, c *client) {
			c.allocate()
			c.open("channel", 0x4000, addr)
			for range 10 {
				c.say("channel", 0x4000, addr, name+strings.Repeat(" ", 1000-len(name)))
			}
			c.mustAsk(methodRefresh) // all of it is handled
			for b := make([]byte, 2000); ; {
				outside.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
				n, err := outside.Read(b)
				if err != nil {
					return
				}
				came[strings.TrimSpace(string(b[:n]))]++
			}
		}
		for i := range 4 {
			flood("many", dialFrom(t, s, "udp", "127.0.0.66").own(s, fmt.Sprint("many", i)))
		}
		flood("honest", dialFrom(t, s, "udp", "127.0.0.2").own(s, "honest"))
		flood("static", dialFrom(t, s, "udp", "127.0.0.66"))
		flood("software", func() *client {
			c := dialFrom(t, s, "udp", "127.0.0.66")
			c.user, c.pass = s.credentials.issue("conference", time.Now().Add(time.Hour))
			return c
		}())
		for name, want := range map[string][2]int{"many": {10, 30}, "honest": {10, 10}, "static": {10, 10}, "software": {10, 10}} {
			if !open && name == "many" {
				want = [2]int{40, 40}
			}
			if got := came[name]; got < want[0] || got > want[1] {
				t.Errorf("open %v: %d packets of %s, want %d to %d", open, got, name, want[0], want[1])
			}
		}
	}
}
