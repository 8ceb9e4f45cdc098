package peraddr

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

func TestOf(t *testing.T) {
	for _, same := range [][2]string{
		{"192.0.2.1", "::ffff:192.0.2.1"}, {"2001:db8:1:2::1", "2001:db8:1:2:ffff::"}, {"fe80::1%eth0", "fe80::2%eth1"},
	} {
		if a, b := Of(netip.MustParseAddr(same[0])), Of(netip.MustParseAddr(same[1])); a != b {
			t.Errorf("%s and %s are two customers", same[0], same[1])
		}
	}
	for _, other := range [][2]string{
		{"192.0.2.1", "192.0.2.2"}, {"2001:db8:1:2::1", "2001:db8:1:3::1"}, {"0.0.0.1", "::"}, {"0.0.0.0", "::"},
	} {
		if a, b := Of(netip.MustParseAddr(other[0])), Of(netip.MustParseAddr(other[1])); a == b {
			t.Errorf("%s and %s are one customer", other[0], other[1])
		}
	}
}

// TestShares fills what each network may have, from one whose addresses are chosen as far apart as it allows.
func TestShares(t *testing.T) {
	const most = 10
	from := func(format string) func(int) netip.Addr {
		return func(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf(format, i)) }
	}
	for _, tt := range []struct {
		name string
		from func(int) netip.Addr
		want int
	}{
		{"an IPv4 address", func(int) netip.Addr { return netip.MustParseAddr("192.0.2.1") }, most},
		{"a /64", from("2001:db8::%x"), most},
		{"a /56", from("2001:db8:0:%02x::1"), 4 * most},
		{"a /48", from("2001:db8:0:%02x00::1"), 16 * most},
	} {
		var c Counter
		entered := 0
		for i := range 250 {
			if c.Enter(tt.from(i%256), most) {
				entered++
			}
		}
		if entered != tt.want {
			t.Errorf("%s has %d, want %d", tt.name, entered, tt.want)
		}
		if elsewhere := netip.MustParseAddr("2001:db8:1::1"); !c.Enter(elsewhere, most) {
			t.Errorf("%s is full, and so is everybody else", tt.name)
		}
	}
}

// TestCounter compares with a model that counts by looking at everything that is there.
func TestCounter(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		most := 1 + rng.IntN(4)
		var c Counter
		var there []netip.Addr
		for range 2000 {
			if len(there) > 0 && rng.IntN(3) == 0 {
				i := rng.IntN(len(there))
				c.Remove(there[i])
				there[i] = there[len(there)-1]
				there = there[:len(there)-1]
				continue
			}
			ip := anyAddr(rng)
			want := true
			for bits, share := range map[int]int{64: 1, 56: 4, 48: 16} {
				if ip.Is4() {
					bits, share = 32, 1
				}
				p, _ := ip.Prefix(bits)
				count := 0
				for _, other := range there {
					if p.Contains(other) {
						count++
					}
				}
				want = want && count < most*share
			}
			if got := c.Enter(ip, most); got != want {
				t.Fatalf("seed %d: %s enters beside %d others: %v, want %v", seed, ip, len(there), got, want)
			}
			if want {
				there = append(there, ip)
			}
		}
		for _, ip := range there {
			c.Remove(ip)
		}
		if len(c.counts) != 0 {
			t.Fatalf("seed %d: nobody is there, and %d networks are remembered", seed, len(c.counts))
		}
	}
}

// anyAddr is an address of few networks, so that they fill.
func anyAddr(rng *rand.Rand) netip.Addr {
	if rng.IntN(4) == 0 {
		return netip.AddrFrom4([4]byte{192, 0, 2, byte(rng.IntN(3))})
	}
	b := [16]byte{0x20, 0x01, 0x0d, 0xb8, 0, byte(rng.IntN(2)), byte(rng.IntN(12)), byte(rng.IntN(6))}
	binary.BigEndian.PutUint64(b[8:], rng.Uint64())
	return netip.AddrFrom16(b)
}

func TestNoBound(t *testing.T) {
	var c Counter
	ip := netip.MustParseAddr("2001:db8::1")
	for range 1000 {
		if !c.Enter(ip, 0) {
			t.Fatal("0 is no bound")
		}
	}
	if c.Count(ip) != 1000 {
		t.Errorf("counted %d, want 1000", c.Count(ip))
	}
}

func TestAllocatesNothing(t *testing.T) {
	var c Counter
	for _, ip := range []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")} {
		c.Add(ip)
		if n := testing.AllocsPerRun(100, func() {
			c.Enter(ip, 10)
			c.Remove(ip)
		}); n != 0 {
			t.Errorf("%s: %v allocations", ip, n)
		}
	}
}

func BenchmarkEnter(b *testing.B) {
	for _, text := range []string{"192.0.2.1", "2001:db8::1"} {
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			var c Counter
			ip := netip.MustParseAddr(text)
			c.Add(ip)
			for b.Loop() {
				c.Enter(ip, 10)
				c.Remove(ip)
			}
		})
	}
}
