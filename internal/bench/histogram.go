package bench

// This file counts durations in buckets, so that a measurement of millions of packets allocates nothing.

import (
	"math/bits"
	"time"
)

// Each power of two has this many buckets: values are exact to 1/64, under 2 %.
const (
	subBits    = 6
	subBuckets = 1 << subBits
)

// Histogram counts durations. The zero value is ready.
type Histogram struct {
	buckets [(64 - subBits) * subBuckets]uint64
	n       uint64
	max     time.Duration
}

// Add counts d; what is below zero (clocks) counts as zero.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.buckets[bucket(uint64(d))]++
	h.n++
	h.max = max(h.max, d)
}

// Merge adds all of o.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

func bucket(v uint64) int {
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return (shift+1)*subBuckets + int(v>>shift)&(subBuckets-1)
}

// value is the middle of a bucket.
func value(i int) time.Duration {
	if i < subBuckets {
		return time.Duration(i)
	}
	shift := i/subBuckets - 1
	low := uint64(i%subBuckets+subBuckets) << shift
	return time.Duration(low + 1<<shift/2)
}

// N is how many were counted.
func (h *Histogram) N() uint64 { return h.n }

// Max is the largest.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile is the value below which a share q of them lies, 0 when there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := uint64(q * float64(h.n))
	rank = min(rank, h.n-1)
	var seen uint64
	for i, n := range h.buckets {
		if seen += n; seen > rank {
			return min(value(i), h.max)
		}
	}
	return h.max
}
