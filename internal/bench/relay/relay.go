// Package relay measures media relays: paced RTP with the RTCP that browsers send, through Duet's relay, through the
// VideoCall plugin of Janus, or directly from client to client, which is what the other two are compared with.
//
// [Run] sets calls up as browsers do: signaling (Duet's protocol or Janus's), ICE, DTLS with pion/dtls, SRTP with
// pion/srtp. The clients are no peer connections, though: those give out at sixty calls on two cores, before the servers
// do. All share one socket and, once the calls are up, one thread that seals, sends, receives and opens every packet.
// The kernel stamps what arrives, so what the generator does late is not counted as the relay's.
//
// Goroutines: while calls are set up, one for each call under way, one for each signaling connection, and those of
// pion/dtls; while it measures, the caller's alone works. Locks: engine.mu guards the socket and the peers; the
// measurement holds it for a tick at a time, and pipe.mu guards the deadline of a DTLS connection.
package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"duet/internal/bench"
)

// Options says what is measured.
type Options struct {
	Via string // "duet", "janus", or "direct": without a server
	URL string // ws://host:port/ws of Duet, ws://host:port of Janus

	Calls    int
	Setups   int           // calls that are set up at a time
	Warmup   time.Duration // sent but not measured
	Duration time.Duration // measured
	Tick     time.Duration // how often the generator looks what is due
	Apart    bool          // a socket for each client also on loopback, as with Janus
	NoRTCP   bool          // send media only, and offer no transport-cc
	PID      int           // the server's process, when it runs on this machine: its CPU and memory are shown
}

// DefaultOptions is the load of the comparisons.
func DefaultOptions() Options {
	return Options{Via: "duet", Calls: 20, Setups: 4, Warmup: 2 * time.Second, Duration: 5 * time.Second, Tick: 250 * time.Microsecond}
}

func (o Options) validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(o.Via != "duet" && o.Via != "janus" && o.Via != "direct", `via %q: neither "duet" nor "janus" nor "direct"`, o.Via)
	fault(o.Calls < 1 || o.Calls > 10_000, "%d calls: 1 to 10000", o.Calls)
	fault(o.Setups < 1, "%d set-ups at a time: at least 1", o.Setups)
	fault(o.Duration < 100*time.Millisecond || o.Warmup < 0 || o.Warmup+o.Duration > time.Hour, "%s after %s of warm-up: at least 100ms and in all at most 1h", o.Duration, o.Warmup)
	fault(o.Tick < 10*time.Microsecond || o.Tick > 10*time.Millisecond, "a tick of %s: 10µs to 10ms", o.Tick)
	return errors.Join(errs...)
}

// setupTime is how long one call may take until it carries media.
const setupTime = 20 * time.Second

// Run measures and prints. The last line is for scripts: "result" and key=value pairs.
func Run(ctx context.Context, o Options, stdout io.Writer) error {
	if err := o.validate(); err != nil {
		return err
	}
	process := bench.Process{PID: o.PID}
	if err := process.Check(); err != nil {
		return err
	}
	bench.MaxFiles()
	fmt.Fprintf(stdout, "machine   %s\n", bench.Machine())
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	bench.SharpenTimers()
	e, err := newEngine(o, process)
	if err != nil {
		return err
	}
	r := &result{before: process.RSS()}
	err = e.run(ctx, r)
	e.close()
	if err != nil {
		return err
	}
	r.print(stdout, o)
	return nil
}

// signaling connects the two peers of a call over a server.
type signaling interface {
	// connect returns when both peers have their descriptions exchanged; carries waits until the server says that media
	// flows, if it says so.
	connect(ctx context.Context, a, b *peer) error
	carries(ctx context.Context) error
	// hangUp ends the call.
	hangUp()
}
