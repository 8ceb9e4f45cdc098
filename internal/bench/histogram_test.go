package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogramQuantiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h, half Histogram
	var all []time.Duration
	for i := range 20_000 {
		d := time.Duration(math.Exp(rng.Float64() * 22)) // 1 ns to 3.6 s
		all = append(all, d)
		if i%2 == 0 {
			h.Add(d)
		} else {
			half.Add(d)
		}
	}
	h.Merge(&half)
	slices.Sort(all)
	if h.N() != uint64(len(all)) || h.Max() != all[len(all)-1] {
		t.Fatalf("N %d, max %v; want %d, %v", h.N(), h.Max(), len(all), all[len(all)-1])
	}
	for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[min(int(q*float64(len(all))), len(all)-1)]
		got := h.Quantile(q)
		if diff := math.Abs(float64(got - want)); diff > 0.02*float64(want)+1 {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
}

func TestHistogramEdges(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 {
		t.Errorf("an empty histogram has a median of %v", h.Quantile(0.5))
	}
	h.Add(-5)
	h.Add(math.MaxInt64)
	if h.Quantile(0) != 0 || h.Quantile(1) < math.MaxInt64/100*98 {
		t.Errorf("got %v and %v", h.Quantile(0), h.Quantile(1))
	}
}
