package bench

// This file decides when packets leave. Every flow has its own phase, so that no two calls march in step, and the plan
// is open loop: a slow server does not slow the plan down.

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Kind is a kind of flow: packets of one size at one interval.
type Kind struct {
	Name     string
	Bytes    int
	Interval time.Duration
}

// Call is the load that the comparisons use: each direction has audio of 200 bytes at 50 packets a second and video of
// 1,200 bytes at 125.
func Call() []Kind {
	return []Kind{
		{"audio", 200, 20 * time.Millisecond},
		{"video", 1200, 8 * time.Millisecond},
	}
}

// tooLate is when a packet is not sent any more: a burst of old ones would measure the burst.
const tooLate = 20 * time.Millisecond

// Pacer walks over the flows in the order in which they are due.
type Pacer struct {
	start   time.Time
	rows    []row
	Late    Histogram // how long after its time each packet left
	Skipped uint64    // packets that were too late to be sent: the generator's own fault
}

type row struct {
	interval time.Duration
	phases   []time.Duration // sorted
	flows    []int           // in the order of phases
	next     int
	cycle    time.Duration // when the current round began, from start
}

// NewPacer plans flows 0 to n-1 of every kind: flow i of kind k is number k*n+i.
func NewPacer(kinds []Kind, n int, rng *rand.Rand) *Pacer {
	p := &Pacer{}
	for k, kind := range kinds {
		r := row{interval: kind.Interval, phases: make([]time.Duration, n), flows: make([]int, n)}
		raw := make([]time.Duration, n)
		for i := range raw {
			raw[i] = time.Duration(rng.Int64N(int64(kind.Interval)))
			r.flows[i] = i
		}
		slices.SortFunc(r.flows, func(a, b int) int { return int(raw[a] - raw[b]) })
		for i, f := range r.flows {
			r.phases[i] = raw[f]
			r.flows[i] = k*n + f
		}
		p.rows = append(p.rows, r)
	}
	return p
}

// Start sets the time from which the plan counts.
func (p *Pacer) Start(t time.Time) {
	p.start = t
	for i := range p.rows {
		p.rows[i].next, p.rows[i].cycle = 0, 0
	}
}

// Reset forgets what was late so far: the warm-up is over.
func (p *Pacer) Reset() { p.Late, p.Skipped = Histogram{}, 0 }

// Due calls send for each flow whose next packet is due at now.
func (p *Pacer) Due(now time.Time, send func(flow int)) {
	at := now.Sub(p.start)
	for i := range p.rows {
		r := &p.rows[i]
		for len(r.flows) > 0 {
			late := at - r.cycle - r.phases[r.next]
			if late < 0 {
				break
			}
			if late > tooLate {
				p.Skipped++
			} else {
				p.Late.Add(late)
				send(r.flows[r.next])
			}
			if r.next++; r.next == len(r.flows) {
				r.next, r.cycle = 0, r.cycle+r.interval
			}
		}
	}
}
