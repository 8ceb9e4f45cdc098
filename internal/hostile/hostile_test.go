package hostile

// This file plays the attacks, one after the other, and judges what the honest users have met.

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// attack is one ill-meaning user, with as many names and connections as one address can have.
type attack struct {
	name string
	// run attacks until ctx ends, and says what it has done and what of it was refused. It is an error if its bound did
	// not hold.
	run func(ctx context.Context, h *hostile) (did string, err error)
}

// hostile is what an attack works with.
type hostile struct {
	t     *testing.T
	s     *server
	names int
}

// TestOneAgainstAll asserts that honest users lose nothing and that newcomers come in. Where time is no matter, it also
// holds the latency of each kind against the quiet time before. The best of three tries counts, of losses too: a busy machine
// can make any of them slow, or have the clients' own sockets overflow, but not all.
func TestOneAgainstAll(t *testing.T) {
	long := os.Getenv("DUET_TEST_ALL") != ""
	users, length, tries := 100, time.Second, 3
	if long {
		users, length = 1000, 5*time.Second
	}
	s := startServer(t)
	w := newWorld(t, s, 20, users)
	h := &hostile{t: t, s: s}
	w.window(length) // the first packets bind channels
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			for try := 1; ; try++ {
				quiet := w.window(length)
				ctx, cancel := context.WithCancel(t.Context())
				type result struct {
					did string
					err error
				}
				done := make(chan result, 1)
				go func() {
					did, err := a.run(ctx, h)
					done <- result{did, err}
				}()
				under := w.window(length)
				cancel()
				r := <-done
				if r.err != nil {
					t.Fatalf("%s: %v", r.did, r.err)
				}
				faults := judge(quiet, under, long)
				t.Logf("| %s | %s | %s | %s | %s |", a.name, r.did, ratio(quiet, under, signaling), ratio(quiet, under, turn), ratio(quiet, under, relay))
				if len(faults) == 0 {
					return
				}
				if try == tries {
					t.Fatalf("honest users, beside %s: %q; in the quiet time %q", r.did, faults, judge(quiet, quiet, false))
				}
				t.Logf("once more: %q", faults)
			}
		})
	}
}

func ratio(quiet, under outcome, k kind) string {
	return fmt.Sprintf("%d lost of %d, %.2f and %.2f ms", under.lost[k], under.sent[k], ms(quiet.p99[k]), ms(under.p99[k]))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// judge lists what an honest user would complain of.
func judge(quiet, under outcome, latency bool) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for k := range kinds {
		if under.lost[k] != 0 {
			fault("%d of %d lost by %s", under.lost[k], under.sent[k], k)
		}
		if latency && under.p99[k] > 3*max(quiet.p99[k], time.Millisecond) {
			fault("%s takes %s, and %s in the quiet time", k, under.p99[k], quiet.p99[k])
		}
	}
	if under.ended > 0 {
		fault("%d connections have ended", under.ended)
	}
	for _, text := range under.refused {
		fault("refused: %s", text)
	}
	return faults
}
