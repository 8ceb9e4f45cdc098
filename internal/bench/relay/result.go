package relay

// This file says what was found.

import (
	"fmt"
	"io"
	"time"

	"duet/internal/bench"
)

type result struct {
	before, connected, loaded int64 // the server's memory
	setup, usage              bench.Usage
	sent, delivered           uint64
	misled                    uint64 // arrived with another client than the one it was for
	broken                    uint64 // did not authenticate
	rtcpSent, rtcpHeard       uint64
	ownLoss, skipped          uint64
	late, latency             bench.Histogram
	profile                   string
	twcc                      bool
}

// warnings are reasons to doubt the figures.
func (r *result) warnings() []string {
	var all []string
	warn := func(bad bool, format string, args ...any) {
		if bad {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	planned := r.sent + r.skipped
	warn(r.skipped*1000 > planned, "the generator fell behind: %.1f %% of the packets were never sent", 100*float64(r.skipped)/float64(max(planned, 1)))
	warn(r.late.Quantile(0.99) > 3*time.Millisecond, "the generator was late: 1 %% of the packets left more than %v after their time", r.late.Quantile(0.99).Round(time.Microsecond))
	warn(r.ownLoss > 0, "the generator's own socket lost %d packets", r.ownLoss)
	warn(r.misled > 0, "%d packets reached another client than the one they were for", r.misled)
	warn(r.broken > 0, "%d packets did not authenticate", r.broken)
	return append(all, r.usage.Doubts()...)
}

func (r *result) print(w io.Writer, o Options) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	us := func(q float64) float64 { return float64(r.latency.Quantile(q)) / 1000 }
	seconds := r.usage.Wall.Seconds()
	loss := 1 - float64(r.delivered)/float64(max(r.sent, 1))
	with := "with transport-cc"
	if !r.twcc {
		with = "without transport-cc"
	}
	row("calls", "%d via %s in %.2f s; %s, %s", o.Calls, o.Via, r.setup.Wall.Seconds(), r.profile, with)
	row("load", "%.1f s: %.0f packets/s sent; audio 200 B at 50/s and video 1200 B at 125/s each way; RTCP %.0f/s sent, %.0f/s heard",
		seconds, float64(r.sent)/seconds, float64(r.rtcpSent)/seconds, float64(r.rtcpHeard)/seconds)
	row("delivered", "%d of %d, lost %.3f %%", r.delivered, r.sent, 100*loss)
	row("latency", "p50 %.0f µs, p90 %.0f, p99 %.0f, p99.9 %.0f, max %.0f (before sealing until taken in by the receiver's kernel)", us(.5), us(.9), us(.99), us(.999), float64(r.latency.Max())/1000)
	keys := fmt.Sprintf("result via=%s calls=%d sent=%d delivered=%d loss=%.6f p50=%.1f p90=%.1f p99=%.1f p999=%.1f",
		o.Via, o.Calls, r.sent, r.delivered, loss, us(.5), us(.9), us(.99), us(.999))
	if o.PID != 0 && o.Via != "direct" {
		perMillion := r.usage.Server.Seconds() / float64(max(r.delivered, 1)) * 1e6
		connect := r.setup.Server.Seconds() * 1000 / float64(o.Calls)
		each := float64(max(r.loaded, r.connected)-r.before) / float64(o.Calls) / 1024
		row("cpu", "server %.1f s for each million packets forwarded (%.2f cores), %.1f ms to connect a call; generator %.2f, others %.2f cores",
			perMillion, r.usage.Server.Seconds()/seconds, connect, r.usage.Self.Seconds()/seconds, r.usage.Others)
		row("memory", "%.0f KiB for each call (%.1f MiB before, %.1f connected, %.1f under load)", each, float64(r.before)/(1<<20), float64(r.connected)/(1<<20), float64(r.loaded)/(1<<20))
		keys += fmt.Sprintf(" cpu=%.4f cores=%.4f connect=%.3f kib=%.1f", perMillion, r.usage.Server.Seconds()/seconds, connect, each)
	}
	for _, s := range r.warnings() {
		row("warning", "%s", s)
	}
	fmt.Fprintln(w, keys+fmt.Sprintf(" generator=%.4f others=%.3f stolen=%.4f", r.usage.Self.Seconds()/seconds, r.usage.Others, r.usage.Stolen))
}
