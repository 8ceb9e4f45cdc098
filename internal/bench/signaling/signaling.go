// Package signaling measures a signaling server that speaks Duet's protocol: how long a storm of joins takes until every
// client sees everybody, what an idle user, a presence event, a roam and a call set-up cost, and how fast messages are
// forwarded.
//
// [Run] goes through phases one after the other, with all users on one thread: they are connections of [bench.Streams],
// each with a small state machine (user) that reads frames, folds presence and plays its part in a call. A frame that
// the server encoded once for many receivers is decoded once here too, so the generator costs less than what it measures.
//
// Goroutines and locks: there are none but the caller's, which is bound to its thread while it measures.
package signaling

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"runtime"
	"time"

	"duet/internal/bench"
)

// Options says what is measured. A phase whose time is 0 is left out.
type Options struct {
	URL      string // ws://host:port/ws; TLS is not spoken here
	SocketIO bool   // the users come by Socket.IO, over WebSockets; they do not roam
	Polling  bool   // by Socket.IO, polling; they do nothing but be idle
	Users    int
	Presence string        // "delta" as our own clients, "list" as plain clients, "none"
	Joins    int           // joins under way at a time
	Settle   time.Duration // how long everybody is idle before the memory is read; also the baseline of CPU
	PID      int           // the server's process, when it runs on this machine: its CPU and memory are shown

	CallTime   time.Duration
	CallRate   float64       // call set-ups a second
	Hold       time.Duration // how long a call lasts after it was set up
	Candidates int           // each way
	SDP        int           // bytes of offer and answer

	ChurnTime time.Duration
	ChurnRate float64 // joins and leaves a second, together

	RoamTime time.Duration
	RoamRate float64 // cut connections a second, each resumed at once
}

// DefaultOptions is the load of the comparisons.
func DefaultOptions() Options {
	return Options{
		Users: 1000, Presence: "delta", Joins: 64, Settle: 5 * time.Second,
		CallTime: 10 * time.Second, CallRate: 100, Hold: 200 * time.Millisecond, Candidates: 20, SDP: 2400,
		ChurnTime: 10 * time.Second, ChurnRate: 40,
		RoamTime: 5 * time.Second, RoamRate: 20,
	}
}

func (o Options) validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(o.Users < 2 || o.Users > 200_000, "%d users: 2 to 200000", o.Users)
	fault(o.Presence != "delta" && o.Presence != "list" && o.Presence != "none", `presence %q is none of "delta", "list" and "none"`, o.Presence)
	fault(o.Joins < 1, "%d joins at a time: at least 1", o.Joins)
	fault(min(o.Settle, o.CallTime, o.Hold, o.ChurnTime, o.RoamTime) < 0, "a time below zero")
	fault(o.CallTime > 0 && (o.CallRate <= 0 || o.CallRate > 1e5), "%v calls a second: above 0, at most 100000", o.CallRate)
	fault(o.ChurnTime > 0 && (o.ChurnRate <= 0 || o.ChurnRate > 1e5), "%v joins and leaves a second: above 0, at most 100000", o.ChurnRate)
	fault(o.RoamTime > 0 && (o.RoamRate <= 0 || o.RoamRate > 1e5), "%v roams a second: above 0, at most 100000", o.RoamRate)
	fault(o.Candidates < 0 || o.Candidates > 500, "%d candidates: 0 to 500", o.Candidates)
	fault(o.SDP < 200 || o.SDP > 60_000, "an SDP of %d bytes: 200 to 60000", o.SDP)
	return errors.Join(errs...)
}

// target is where the users connect to.
type target struct {
	addr       netip.AddrPort
	host, path string
	loopback   bool
}

func parseURL(s string) (target, error) {
	u, err := url.Parse(s)
	if err != nil {
		return target{}, fmt.Errorf("url: %w", err)
	}
	if u.Scheme != "ws" {
		return target{}, fmt.Errorf("%q: only ws: is measured; in front of wss: there would be TLS to measure too", s)
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "80")
	}
	tcp, err := net.ResolveTCPAddr("tcp", host)
	if err != nil {
		return target{}, fmt.Errorf("%q: %w", s, err)
	}
	addr := netip.AddrPortFrom(tcp.AddrPort().Addr().Unmap(), tcp.AddrPort().Port())
	return target{addr, u.Host, u.RequestURI(), addr.Addr().Is4() && addr.Addr().IsLoopback()}, nil
}

// Run measures and prints. The last line is for scripts: "result" and key=value pairs.
func Run(ctx context.Context, o Options, stdout io.Writer) error {
	if err := o.validate(); err != nil {
		return err
	}
	to, err := parseURL(o.URL)
	if err != nil {
		return err
	}
	if o.Polling {
		o.SocketIO, o.CallTime, o.ChurnTime = true, 0, 0
		to.path = "/socket.io/?EIO=4&transport=polling"
	} else if o.SocketIO {
		to.path = "/socket.io/?EIO=4&transport=websocket"
	}
	process := bench.Process{PID: o.PID}
	if err := process.Check(); err != nil {
		return err
	}
	if files := bench.MaxFiles(); files > 0 && files < uint64(o.Users)+uint64(o.Joins)+64 {
		return fmt.Errorf("%d users need as many open files, and this process may have %d (ulimit -n)", o.Users, files)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	w, err := newWorld(o, to, process)
	if err != nil {
		return err
	}
	defer w.streams.Close()
	fmt.Fprintf(stdout, "machine   %s\n", bench.Machine())
	p := &printer{w: stdout, pid: o.PID != 0}
	for _, phase := range []func(context.Context, *printer) error{w.storm, w.idle, w.calls, w.churn, w.roam} {
		if err := phase(ctx, p); err != nil {
			return err
		}
	}
	w.leave(ctx)
	fmt.Fprintln(stdout, "result"+p.keys)
	return nil
}

// printer collects the line for scripts while it prints the others.
type printer struct {
	w    io.Writer
	keys string
	pid  bool
}

func (p *printer) row(name, format string, args ...any) {
	fmt.Fprintf(p.w, "%-9s %s\n", name, fmt.Sprintf(format, args...))
}

func (p *printer) key(name string, v any) { p.keys += fmt.Sprintf(" %s=%v", name, v) }

// usage warns about what makes figures doubtful.
func (p *printer) usage(u bench.Usage) {
	if u.Self.Seconds() > 0.8*u.Wall.Seconds() {
		p.row("warning", "the generator was busy for %.0f %% of the time: the figures are partly its own", 100*u.Self.Seconds()/u.Wall.Seconds())
	}
	for _, doubt := range u.Doubts() {
		p.row("warning", "%s", doubt)
	}
}
