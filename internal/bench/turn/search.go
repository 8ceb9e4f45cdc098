package turn

// This file looks for the number of calls that a server carries.

import (
	"context"
	"fmt"
	"io"
	"net/netip"

	"duet/internal/bench"
)

// step is how close the search comes: neighbours differ by 4 %.
const step = 1.04

// ceiling is the most calls that are tried: the addresses of the clients end somewhere.
const ceiling = 20_000

// search raises the calls by halves until too much is lost, then halves the distance. A probe that fails is made again:
// one pause of the machine must not decide.
func search(ctx context.Context, o Options, most int, server netip.AddrPort, process bench.Process, stdout io.Writer) error {
	var best *result
	limit := "server"
	carried, err := climb(o.Calls, most, func(n int) (bool, error) {
		probe := o
		probe.Calls = n
		for range 2 {
			r, err := measure(ctx, probe, server, process)
			if err != nil {
				return false, fmt.Errorf("%d calls: %w", n, err)
			}
			seconds := r.usage.Wall.Seconds()
			fmt.Fprintf(stdout, "probe     %d calls: %.0f packets/s, lost %.3f %%, p99 %.0f µs, server %.2f cores, generator %.2f, skipped %d\n", n,
				float64(r.sent)/seconds, 100*r.loss(), float64(r.latency.Quantile(.99))/1000,
				r.usage.Server.Seconds()/seconds, r.usage.Self.Seconds()/seconds, r.skipped)
			behind := float64(r.skipped+r.ownLoss) > o.MaxLoss*float64(r.sent)
			if !behind && r.loss() <= o.MaxLoss {
				best = r
				return true, nil
			}
			if limit = "server"; behind {
				limit = "generator"
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	if best == nil {
		return fmt.Errorf("not even one call is carried with a loss of at most %.2f %%", 100*o.MaxLoss)
	}
	if carried == most {
		limit = "search"
	}
	o.Calls = carried
	best.print(stdout, o)
	fmt.Fprintf(stdout, "carried   %d calls with a loss of at most %.2f %%; what ended it was the %s\n", carried, 100*o.MaxLoss, limit)
	fmt.Fprintf(stdout, "result search=%d limit=%s\n", carried, limit)
	return nil
}

// climb returns the largest number up to most that is carried, to within step; 0 is none. The last success it sees is
// the one it returns.
func climb(start, most int, carries func(int) (bool, error)) (int, error) {
	low, high := 0, most+1 // carried; not carried
	for n := min(start, most); ; {
		ok, err := carries(n)
		if err != nil {
			return 0, err
		}
		if ok {
			low = n
		} else {
			high = n
		}
		switch {
		case high > most: // never failed yet
			n = min(max(n*3/2, n+1), most)
		default:
			n = (low + high) / 2
		}
		if n <= low || n >= high || low > 0 && high <= most && float64(high)/float64(low) < step {
			return low, nil
		}
	}
}
