package peraddr

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

func TestPlaces(t *testing.T) {
	p := NewPlaces[string](3, 2)
	one, other, third := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	enter := func(who string, from netip.Addr, want Entry, wantLeaver string) {
		t.Helper()
		how, leaver, gave := p.Enter(who, from)
		if how != want || leaver != wantLeaver || gave != (wantLeaver != "") {
			t.Errorf("%s: %d, %q gives way (%v), want %d and %q", who, how, leaver, gave, want, wantLeaver)
		}
	}
	enter("a", one, Entered, "")
	enter("b", one, Entered, "")
	enter("c", one, FullEach, "")
	enter("d", other, Entered, "")
	enter("e", other, Entered, "a") // the one that has been there longest
	p.Needed("b", true)
	enter("f", third, Entered, "d")
	p.Needed("e", true)
	p.Needed("f", true)
	enter("g", third, FullAll, "")
	p.Needed("b", false)
	enter("g", third, Entered, "b")
	if p.Leave("b") || !p.Leave("e") || p.Leave("e") || p.Len() != 2 {
		t.Errorf("%d places are taken", p.Len())
	}
	p.Needed("nobody", true)
	p.Needed("nobody", false)
}

// Whatever happens, no bound is passed, who is needed stays, and nothing is left when all have gone.
func TestPlacesInvariants(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		const all, each = 20, 3
		p := NewPlaces[int](all, each)
		needed, from := map[int]bool{}, map[int]netip.Addr{}
		for i := range 3000 {
			switch who := rng.IntN(i + 1); rng.IntN(5) {
			case 0, 1, 2:
				ip := anyAddr(rng)
				switch how, leaver, gave := p.Enter(i, ip); how {
				case Entered:
					if gave && (needed[leaver] || !from[leaver].IsValid()) {
						t.Fatalf("seed %d: %d gives way, needed %v", seed, leaver, needed[leaver])
					}
					if gave {
						delete(from, leaver)
					}
					from[i] = ip
				case FullAll:
					for who := range from {
						if !needed[who] {
							t.Fatalf("seed %d: full, and nobody needs %d", seed, who)
						}
					}
				}
			case 3:
				yes := rng.IntN(2) == 0
				if p.Needed(who, yes); from[who].IsValid() {
					needed[who] = yes
				}
			case 4:
				if p.Leave(who) != from[who].IsValid() {
					t.Fatalf("seed %d: %d leaves a place that it has not", seed, who)
				}
				delete(from, who)
				delete(needed, who)
			}
			if p.Len() != len(from) || p.Len() > all {
				t.Fatalf("seed %d: %d places are taken, want %d", seed, p.Len(), len(from))
			}
		}
		for _, who := range p.All() {
			p.Leave(who)
		}
		if p.Len() != 0 || p.spare.Len() != 0 || p.counter.Len() != 0 {
			t.Fatalf("seed %d: %d, %d and %d are left", seed, p.Len(), p.spare.Len(), p.counter.Len())
		}
	}
}
