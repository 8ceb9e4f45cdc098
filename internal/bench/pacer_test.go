package bench

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestPacerSendsEachFlowAtItsRate(t *testing.T) {
	const n = 7
	kinds := Call()
	p := NewPacer(kinds, n, rand.New(rand.NewPCG(3, 4)))
	start := time.Unix(1000, 0)
	p.Start(start)
	sent := map[int]int{}
	last := map[int]time.Duration{}
	for at := time.Duration(0); at < 2*time.Second; at += 250 * time.Microsecond {
		p.Due(start.Add(at), func(flow int) {
			interval := kinds[flow/n].Interval
			if before, ok := last[flow]; ok && (at-before > interval+250*time.Microsecond || at-before < interval-250*time.Microsecond) {
				t.Errorf("flow %d: %v between packets, want %v", flow, at-before, interval)
			}
			last[flow] = at
			sent[flow]++
		})
	}
	if len(sent) != n*len(kinds) {
		t.Fatalf("%d flows sent, want %d", len(sent), n*len(kinds))
	}
	for flow, got := range sent {
		if want := int(2 * time.Second / kinds[flow/n].Interval); got != want {
			t.Errorf("flow %d sent %d packets, want %d", flow, got, want)
		}
	}
	if p.Skipped != 0 || p.Late.Max() > 250*time.Microsecond {
		t.Errorf("skipped %d, late by up to %v", p.Skipped, p.Late.Max())
	}
}

func TestPacerSkipsWhatIsTooLate(t *testing.T) {
	p := NewPacer([]Kind{{"audio", 200, 20 * time.Millisecond}}, 1, rand.New(rand.NewPCG(3, 4)))
	start := time.Unix(1000, 0)
	p.Start(start)
	sent := 0
	p.Due(start.Add(time.Second), func(int) { sent++ })
	if sent < 1 || sent > 2 || p.Skipped+uint64(sent) < 49 || p.Skipped+uint64(sent) > 51 {
		t.Errorf("after a second's pause %d packets were sent and %d skipped", sent, p.Skipped)
	}
	p.Reset()
	if p.Skipped != 0 || p.Late.N() != 0 {
		t.Error("Reset left something")
	}
}
