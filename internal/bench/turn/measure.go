package turn

// This file is one measurement: set up, send, count, print.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"

	"duet/internal/bench"
)

// result is what a measurement found.
type result struct {
	software              string
	allocations           int
	before, settled, last int64 // the server's memory: before the allocations, with them, after the load
	sent, delivered       uint64
	misled                uint64 // arrived with another client than the one it was for
	twice                 uint64 // arrived more than once
	misformed             uint64 // came on a channel to a client without, or the other way round
	ownLoss               uint64 // packets that the generator itself lost
	skipped               uint64
	late, latency         bench.Histogram
	usage                 bench.Usage
}

func (r *result) loss() float64 {
	if r.sent == 0 {
		return 1
	}
	return 1 - float64(r.delivered)/float64(r.sent)
}

// flow is one direction of one kind of one call.
type flow struct {
	from, to *client
	bytes    int
	seq      uint32
	seen     uint32 // the highest number that arrived, to notice what arrives twice
	data     bool   // is sent by a client of the server's
}

func measure(ctx context.Context, o Options, server netip.AddrPort, process bench.Process) (r *result, err error) {
	f, err := newFleet(o, server)
	if err != nil {
		return nil, err
	}
	defer f.close()
	r = &result{allocations: len(f.clients), before: process.RSS()}
	if err := f.allocate(ctx); err != nil {
		return nil, err
	}
	defer func() {
		// Also when the context has ended: the server should not keep what nobody uses.
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if e := f.release(end); e != nil {
			err = errors.Join(err, fmt.Errorf("after the measurement: %w", e))
		}
	}()
	r.software = f.software
	f.pair(o.Mode)
	if err := f.bind(ctx); err != nil {
		return nil, err
	}
	if o.Mode == "idle" { // setting up leaves garbage, which is not what an allocation needs
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(o.Duration):
		}
	}
	r.settled = process.RSS()
	if o.Mode == "idle" {
		return r, nil
	}
	err = f.load(ctx, o, process, r)
	r.last = process.RSS()
	return r, err
}

// pair decides where each channel leads, and what the plain peers send to.
func (f *fleet) pair(mode string) {
	switch mode {
	case "relay":
		for i := 0; i < len(f.clients); i += 2 {
			a, b := f.clients[i], f.clients[i+1]
			a.peer, b.peer = b.relayed, a.relayed
		}
	case "peer":
		for i, p := range f.peers {
			c := f.clients[i]
			c.peer = netip.AddrPortFrom(p.addr, p.socket.Local().Port())
			from := netip.Addr{}
			if f.byAddr[p.addr] == p {
				from = p.addr
			}
			p.route = bench.NewRoute(from, c.relayed)
		}
	case "idle": // a channel as a call would have one, to an address of the server itself
		for i, c := range f.clients {
			c.peer = f.clients[(i+1)%len(f.clients)].relayed
		}
	}
}

// flows lists each direction of each kind of each call, all kinds in the order in which the pacer numbers them.
func (f *fleet) flows(mode string, kinds []bench.Kind) []*flow {
	var all []*flow
	for _, k := range kinds {
		if mode == "relay" {
			for i, c := range f.clients {
				all = append(all, &flow{from: c, to: f.clients[i^1], bytes: k.Bytes, data: true})
			}
			continue
		}
		for i, c := range f.clients {
			all = append(all, &flow{from: c, to: f.peers[i], bytes: k.Bytes, data: true},
				&flow{from: f.peers[i], to: c, bytes: k.Bytes})
		}
	}
	return all
}

// load sends and counts.
func (f *fleet) load(ctx context.Context, o Options, process bench.Process, r *result) error {
	kinds := bench.Call()
	flows := f.flows(o.Mode, kinds)
	pacer := bench.NewPacer(kinds, len(flows)/len(kinds), rand.New(rand.NewPCG(uint64(o.Calls), 1)))
	isPeer := map[*bench.Socket]bool{}
	for _, p := range f.peers {
		isPeer[p.socket] = true
	}
	var from, to int64 // the measured span, by the clock of the stamps
	var clients bool   // whose the socket being read is
	receive := func(p *bench.Packet) {
		b, bound := p.Data, false
		if clients {
			if b, bound = payload(b); b == nil {
				return // an answer, or not ours
			}
		}
		n, seq, sent, ok := readStamp(b)
		if !ok || int(n) >= len(flows) || sent < from || sent >= to {
			return
		}
		fl := flows[n]
		if len(f.byAddr) > 0 && f.byAddr[p.To] != fl.to {
			r.misled++
			return
		}
		if clients && bound != fl.to.bound {
			r.misformed++
		}
		if seq <= fl.seen {
			// Nothing here reorders a flow, except a server with several threads: count both.
			r.twice++
		} else {
			fl.seen = seq
		}
		r.delivered++
		r.latency.Add(time.Duration(p.At - sent))
	}
	drain := func() error {
		for _, s := range f.sockets {
			clients = !isPeer[s]
			if _, err := s.Receive(receive); err != nil {
				return err
			}
		}
		return nil
	}
	var now int64
	var measuring bool
	send := func(n int) {
		fl := flows[n]
		fl.seq++
		room := 0
		if fl.data {
			room = fl.from.room()
		}
		b := fl.from.socket.Queue(&fl.from.route, room+fl.bytes)
		if fl.data {
			fl.from.putHeader(b, fl.bytes)
			b = b[room:]
		}
		putStamp(b, uint32(n), fl.seq, now)
		if measuring {
			r.sent++
		}
	}

	start := time.Now()
	pacer.Start(start)
	begin, end := start.Add(o.Warmup), start.Add(o.Warmup+o.Duration)
	every := time.Millisecond // reading seldom is cheap, and the kernel has stamped what waits
	var watch bench.Watch
	var lastDrain, tick time.Time
	for t := start; t.Before(end); t = time.Now() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !measuring && !t.Before(begin) {
			measuring = true
			from, to = t.UnixNano(), end.UnixNano()+int64(time.Second)
			pacer.Reset()
			watch = bench.StartWatch(process)
		}
		now = t.UnixNano()
		pacer.Due(t, send)
		for _, s := range f.sockets {
			s.Flush()
		}
		if t.Sub(lastDrain) >= every {
			lastDrain = t
			if err := drain(); err != nil {
				return err
			}
		}
		if tick = t.Truncate(o.Tick).Add(o.Tick); time.Until(tick) > 0 {
			bench.SleepUntil(tick)
		}
	}
	r.usage = watch.Stop()
	for deadline := time.Now().Add(500 * time.Millisecond); time.Now().Before(deadline) && r.delivered < r.sent; {
		bench.WaitReadable(50*time.Millisecond, f.sockets...)
		if err := drain(); err != nil {
			return err
		}
	}
	for _, s := range f.sockets {
		r.ownLoss += s.Lost()
	}
	r.late, r.skipped = pacer.Late, pacer.Skipped
	return nil
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
	warn(r.skipped*1000 > planned, "the generator fell behind: %.1f %% of the packets were never sent", 100*float64(r.skipped)/float64(planned))
	warn(r.late.Quantile(0.99) > 3*time.Millisecond, "the generator was late: 1 %% of the packets left more than %v after their time", r.late.Quantile(0.99).Round(time.Microsecond))
	warn(r.ownLoss > 0, "the generator's own sockets lost %d packets", r.ownLoss)
	warn(r.misled > 0, "%d packets reached another client than the one they were for", r.misled)
	warn(r.misformed > 0, "%d packets came on a channel to a client that has none, or the other way round", r.misformed)
	warn(r.twice > 0, "%d packets came twice or out of order", r.twice)
	return append(all, r.usage.Doubts()...)
}

func (r *result) print(w io.Writer, o Options) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("server", "%s %s", o.URL, r.software)
	keys := fmt.Sprintf("result mode=%s carry=%s calls=%d allocations=%d", o.Mode, o.Carry, o.Calls, r.allocations)
	us := func(q float64) float64 { return float64(r.latency.Quantile(q)) / 1000 }
	if o.Mode != "idle" {
		seconds := r.usage.Wall.Seconds()
		row("load", "%d calls, %s mode, %s, %.1f s: %.0f packets/s sent; audio 200 B at 50/s and video 1200 B at 125/s each way", o.Calls, o.Mode, o.Carry, seconds, float64(r.sent)/seconds)
		row("delivered", "%d of %d, lost %.3f %%", r.delivered, r.sent, 100*r.loss())
		row("latency", "p50 %.0f µs, p90 %.0f, p99 %.0f, p99.9 %.0f, max %.0f (handed to the kernel until taken in by it)", us(.5), us(.9), us(.99), us(.999), float64(r.latency.Max())/1000)
		keys += fmt.Sprintf(" sent=%d delivered=%d loss=%.6f p50=%.1f p90=%.1f p99=%.1f p999=%.1f", r.sent, r.delivered, r.loss(), us(.5), us(.9), us(.99), us(.999))
		if o.PID != 0 {
			perMillion := r.usage.Server.Seconds() / float64(max(r.delivered, 1)) * 1e6
			row("cpu", "server %.2f s for each million packets delivered (%.2f cores); generator %.2f, others %.2f cores",
				perMillion, r.usage.Server.Seconds()/seconds, r.usage.Self.Seconds()/seconds, r.usage.Others)
			keys += fmt.Sprintf(" cpu=%.4f cores=%.4f", perMillion, r.usage.Server.Seconds()/seconds)
		}
		keys += fmt.Sprintf(" generator=%.4f others=%.3f stolen=%.4f", r.usage.Self.Seconds()/seconds, r.usage.Others, r.usage.Stolen)
	}
	if o.PID != 0 {
		each := float64(r.settled-r.before) / float64(r.allocations) / 1024
		row("memory", "%.1f KiB for each of %d allocations with a channel or permission (%.1f MiB before, %.1f with them)", each, r.allocations, float64(r.before)/(1<<20), float64(r.settled)/(1<<20))
		keys += fmt.Sprintf(" kib=%.3f rss=%d", each, max(r.settled, r.last))
	}
	for _, s := range r.warnings() {
		row("warning", "%s", s)
	}
	fmt.Fprintln(w, keys)
}
