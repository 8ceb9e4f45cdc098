package main

// Measuring: `duet bench` drives a server, this one or another, with paced load and prints what it carried and cost.

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	benchrelay "duet/internal/bench/relay"
	benchsignaling "duet/internal/bench/signaling"
	benchturn "duet/internal/bench/turn"
)

const benchUsage = `usage: duet bench turn [flags]       calls through a TURN server
       duet bench relay [flags]      media through the relay, or through Janus
       duet bench signaling [flags]  users who join, call, come, go and roam

Each measures a running server and prints what arrived, how late, and, with -pid on the same machine, what it cost.
`

// benchCommand carries out `duet bench WHAT`.
func benchCommand(args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return usageError("bench what?")
	}
	flags := flag.NewFlagSet("bench "+args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	var run func(context.Context, io.Writer) error
	switch args[0] {
	case "turn":
		o := benchturn.DefaultOptions()
		flags.StringVar(&o.URL, "url", "turn:127.0.0.1:3478", "the server, turn:host:port")
		flags.StringVar(&o.User, "user", "", "user name of a long-term credential")
		flags.Func("password-file", "the file with its password; - reads standard input", fromFile(&o.Pass))
		flags.Func("secret-file", "or the file with the shared secret of TURN REST credentials (turn.secret, static-auth-secret)", fromFile(&o.Secret))
		flags.StringVar(&o.Mode, "mode", o.Mode, "relay: both parties behind the server; peer: one of them; idle: allocations only")
		flags.StringVar(&o.Carry, "carry", o.Carry, "channels, indications (as Firefox), or mixed: one party of a call with a channel, the other without")
		flags.IntVar(&o.Calls, "calls", o.Calls, "calls, of 350 packets a second each")
		flags.DurationVar(&o.Warmup, "warmup", o.Warmup, "sent before the measurement begins")
		flags.DurationVar(&o.Duration, "duration", o.Duration, "how long is measured")
		flags.DurationVar(&o.Tick, "tick", o.Tick, "how often the sender looks what is due")
		flags.IntVar(&o.PID, "pid", 0, "the server's process on this machine: show its CPU and memory")
		flags.BoolVar(&o.Search, "search", false, "look for the most calls that are carried, beginning at -calls")
		flags.Float64Var(&o.MaxLoss, "max-loss", o.MaxLoss, "with -search: the share that may be lost")
		run = func(ctx context.Context, w io.Writer) error { return benchturn.Run(ctx, o, w) }
	case "relay":
		o := benchrelay.DefaultOptions()
		flags.StringVar(&o.Via, "via", o.Via, "duet, janus (its VideoCall plugin) or direct (no server, to compare with)")
		flags.StringVar(&o.URL, "url", "ws://127.0.0.1:8080/ws", "the signaling, ws://host:port/ws; of Janus ws://host:8188")
		flags.IntVar(&o.Calls, "calls", o.Calls, "calls, of 350 packets a second each")
		flags.IntVar(&o.Setups, "setups", o.Setups, "calls that are set up at a time")
		flags.DurationVar(&o.Warmup, "warmup", o.Warmup, "sent before the measurement begins")
		flags.DurationVar(&o.Duration, "duration", o.Duration, "how long is measured")
		flags.DurationVar(&o.Tick, "tick", o.Tick, "how often the sender looks what is due")
		flags.BoolVar(&o.Apart, "apart", false, "a socket for each client also on loopback, as with Janus")
		flags.BoolVar(&o.NoRTCP, "no-rtcp", false, "send media only, and offer no transport-cc")
		flags.IntVar(&o.PID, "pid", 0, "the server's process on this machine: show its CPU and memory")
		run = func(ctx context.Context, w io.Writer) error { return benchrelay.Run(ctx, o, w) }
	case "signaling":
		o := benchsignaling.DefaultOptions()
		flags.StringVar(&o.URL, "url", "ws://127.0.0.1:8080/ws", "the server, ws://host:port/ws")
		flags.BoolVar(&o.SocketIO, "socketio", false, "the users come by Socket.IO over WebSockets, and do not roam")
		flags.BoolVar(&o.Polling, "polling", false, "the users come by Socket.IO, polling, and are only idle")
		flags.IntVar(&o.Users, "users", o.Users, "users who join")
		flags.StringVar(&o.Presence, "presence", o.Presence, "what they hear of each other: delta, list (plain clients) or none")
		flags.IntVar(&o.Joins, "joins", o.Joins, "joins under way at a time")
		flags.DurationVar(&o.Settle, "settle", o.Settle, "idleness before memory is read and the idle CPU is known")
		flags.IntVar(&o.PID, "pid", 0, "the server's process on this machine: show its CPU and memory")
		flags.DurationVar(&o.CallTime, "call-time", o.CallTime, "how long calls are set up; 0 leaves it out")
		flags.Float64Var(&o.CallRate, "call-rate", o.CallRate, "set-ups a second")
		flags.DurationVar(&o.Hold, "hold", o.Hold, "how long a call lasts then")
		flags.IntVar(&o.Candidates, "candidates", o.Candidates, "candidates each way")
		flags.IntVar(&o.SDP, "sdp", o.SDP, "bytes of an offer or answer")
		flags.DurationVar(&o.ChurnTime, "churn-time", o.ChurnTime, "how long strangers come and go; 0 leaves it out")
		flags.Float64Var(&o.ChurnRate, "churn-rate", o.ChurnRate, "joins and leaves a second, together")
		flags.DurationVar(&o.RoamTime, "roam-time", o.RoamTime, "how long connections are cut and resumed; 0 leaves it out")
		flags.Float64Var(&o.RoamRate, "roam-rate", o.RoamRate, "cuts a second")
		run = func(ctx context.Context, w io.Writer) error { return benchsignaling.Run(ctx, o, w) }
	case "help", "-h", "-help", "--help":
		_, err := io.WriteString(stdout, benchUsage)
		return err
	default:
		return usageError(fmt.Sprintf("bench %s: unknown", args[0]))
	}
	if err := flags.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(stdout, "usage: duet bench %s [flags]\n", args[0])
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return nil
	} else if err != nil {
		return usageError(err.Error())
	}
	if flags.NArg() > 0 {
		return usageError(fmt.Sprintf("unexpected argument %q", flags.Arg(0)))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, stdout)
}

// fromFile is a flag that names the file with a secret: arguments are shown to everybody on the machine.
func fromFile(into *string) func(path string) error {
	return func(path string) error {
		if path == "-" {
			path = "/dev/stdin"
		}
		data, err := os.ReadFile(path)
		*into = strings.TrimRight(string(data), "\r\n")
		return err
	}
}
