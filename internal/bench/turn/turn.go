// Package turn measures a TURN server: paced calls over ChannelData or indications with long-term credentials over UDP, what
// of them arrives, how late, and what it costs the server.
//
// [Run] allocates for every client, binds a channel or gets a permission towards the other party (its relayed address, or a
// plain socket that stands for a peer without TURN), and sends open loop from one thread. Every packet carries its flow, its number and the
// time at which it was handed to the kernel; the kernel of the receiving side stamps it again, so what the generator does
// late is not counted as the server's.
//
// Goroutines and locks: there are none but the caller's, which is bound to its thread while it measures.
package turn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"time"

	"duet/internal/bench"
)

// Options says what is measured.
type Options struct {
	URL    string // turn:host:port, also with ?transport=udp
	User   string // long-term credentials, or
	Pass   string
	Secret string // the shared secret that TURN REST credentials are derived from

	// Mode is "relay" (both parties behind allocations, sending to each other's relayed address), "peer" (one party has an
	// allocation, the other none) or "idle" (allocations only, for their memory, which is read after Duration).
	Mode string
	// Carry is how the clients send and receive: "channels" (as Chromium), "indications" (as Firefox), or "mixed": of a call's
	// two parties, or of each two that have an allocation, one has a channel and the other has none.
	Carry    string
	Calls    int
	Warmup   time.Duration // sent but not measured
	Duration time.Duration // measured
	Tick     time.Duration // how often the generator looks what is due; what is due together waits for one another
	PID      int           // the server's process, when it runs on this machine: its CPU and memory are shown
	Search   bool          // look for the largest number of calls that lose at most MaxLoss, beginning at Calls
	MaxLoss  float64       // a share, 0.001 is 0.1 %
}

// DefaultOptions is the load of the comparisons.
func DefaultOptions() Options {
	// With a tick of 250 µs, nine packets leave together, and their p99 is mostly their own queue and the time that it takes
	// to wake a processor which the host of a virtual machine has put to sleep in between.
	return Options{Mode: "relay", Carry: "channels", Calls: 100, Warmup: time.Second, Duration: 5 * time.Second, Tick: 100 * time.Microsecond, MaxLoss: 0.001}
}

// longest keeps a run shorter than permissions live: nothing is refreshed.
const longest = 4 * time.Minute

func (o Options) validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(o.Mode != "relay" && o.Mode != "peer" && o.Mode != "idle", `mode %q is none of "relay", "peer" and "idle"`, o.Mode)
	fault(o.Carry != "channels" && o.Carry != "indications" && o.Carry != "mixed", `%q is none of "channels", "indications" and "mixed"`, o.Carry)
	fault(o.Calls < 1 || o.Calls > ceiling, "%d calls: 1 to %d", o.Calls, ceiling)
	fault(o.Duration < 100*time.Millisecond || o.Warmup < 0 || o.Warmup+o.Duration > longest, "%s after %s of warm-up: at least 100ms and in all at most %s", o.Duration, o.Warmup, longest)
	fault(o.Tick < 10*time.Microsecond || o.Tick > 10*time.Millisecond, "a tick of %s: 10µs to 10ms", o.Tick)
	fault(o.Secret == "" && (o.User == "" || o.Pass == ""), "a user with a password, or the shared secret, is needed")
	fault(o.Search && o.Mode == "idle", "there is nothing to search in mode idle")
	fault(o.MaxLoss < 0 || o.MaxLoss >= 1, "a loss of %v is no share", o.MaxLoss)
	return errors.Join(errs...)
}

// parseURL reads turn:host[:port][?transport=udp] (RFC 7065); only UDP is measured.
func parseURL(url string) (netip.AddrPort, error) {
	rest, ok := strings.CutPrefix(url, "turn:")
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("%q does not begin with the scheme turn", url)
	}
	rest, query, _ := strings.Cut(rest, "?")
	if query != "" && query != "transport=udp" {
		return netip.AddrPort{}, fmt.Errorf("%q: only transport=udp is measured", url)
	}
	if _, _, err := net.SplitHostPort(rest); err != nil {
		rest = net.JoinHostPort(strings.Trim(rest, "[]"), "3478")
	}
	addr, err := net.ResolveUDPAddr("udp", rest)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q: %w", url, err)
	}
	ap := addr.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
}

// Run measures and prints. The last line is for scripts: "result" and key=value pairs.
func Run(ctx context.Context, o Options, stdout io.Writer) error {
	if err := o.validate(); err != nil {
		return err
	}
	server, err := parseURL(o.URL)
	if err != nil {
		return err
	}
	process := bench.Process{PID: o.PID}
	if err := process.Check(); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "machine   %s\n", bench.Machine())
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	bench.SharpenTimers()
	if o.Search {
		return search(ctx, o, ceiling, server, process, stdout)
	}
	r, err := measure(ctx, o, server, process)
	if err != nil {
		return err
	}
	r.print(stdout, o)
	return nil
}
