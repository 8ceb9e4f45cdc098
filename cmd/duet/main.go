// Command duet serves calls between two people: the page, the signaling, STUN
// and TURN, and a media relay, in one process.
//
// main.go holds the subcommands and the signals: the first SIGINT or SIGTERM
// ends everything in order, the second at once; SIGHUP ends nothing (reload.go). run.go is where the parts meet;
// its errgroup owns every long-lived goroutine. Its locks are leaves, in log.go,
// limit.go and tls.go; its types are [streamMux], which tells a port's protocols
// apart, and state.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"duet/configs"
)

const version = "0.1.0"

const usage = `Duet: calls between two people, on a server of your own.

usage: duet [serve] [-config FILE] [-replace]
                                     run the server (the default); -replace takes the place of the one
                                     that runs with the same state_dir, without refusing a connection
       duet config  [-config FILE]   print the effective configuration, secrets masked
       duet check [-config FILE] [-url URL] [-turn] [-insecure]
                                     try a running server as a browser would, and say what to open
       duet doctor [-config FILE] [-url URL] [-insecure]
                                     the same, and this machine: limits, buffers, clock, addresses, ports,
                                     certificate and proxy, with what to do
       duet verify URL               compare the page that a server gives with the one in this program
       duet turn-credential [-config FILE] [-user NAME] [-ttl 8h]
                                     print a TURN username and password for other software
       duet bench WHAT [flags]       measure a server: turn, relay, signaling
       duet version

Every key is explained in configs/duet.yaml. The environment overrides the file:
turn.secret is DUET_TURN_SECRET, and DUET_TURN_SECRET_FILE reads it from a file.
`

func main() {
	os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run carries out one command line and returns the exit code: 0 when all went
// well, 1 when it did not, 2 when it was not understood.
func run(args, environ []string, stdout, stderr io.Writer) int {
	command := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	var err error
	switch command {
	case "serve":
		err = serveCommand(args, environ, stdout, stderr)
	case "check":
		err = checkCommand(args, environ, stdout, stderr)
	case "doctor":
		err = doctorCommand(args, environ, stdout, stderr)
	case "verify":
		err = verifyCommand(args, stdout, stderr)
	case "turn-credential":
		err = turnCredentialCommand(args, environ, stdout, stderr)
	case "bench":
		err = benchCommand(args, stdout)
	case "config":
		err = configCommand(args, environ, stdout, stderr)
	case "version":
		fmt.Fprintln(stdout, "duet", version)
	case "help":
		fmt.Fprint(stdout, usage)
	default:
		err = usageError(fmt.Sprintf("unknown command %q", command))
	}
	var wrong usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return 0
	case errors.As(err, &wrong):
		fmt.Fprintf(stderr, "duet: %s\n\n%s", wrong, usage)
		return 2
	}
	for line := range strings.Lines(err.Error()) { // joined errors hold a line each
		fmt.Fprintf(stderr, "duet: %s\n", strings.TrimRight(line, "\n"))
	}
	return 1
}

// usageError is a command line that was not understood.
type usageError string

func (e usageError) Error() string { return string(e) }

func configCommand(args, environ []string, stdout, stderr io.Writer) error {
	cfg, err := load(flag.NewFlagSet("config", flag.ContinueOnError), args, environ)
	if err != nil {
		return err
	}
	for _, w := range cfg.Warnings() {
		fmt.Fprintf(stderr, "duet: %s\n", w)
	}
	text, err := cfg.Print()
	if err != nil {
		return err
	}
	_, err = io.WriteString(stdout, text)
	return err
}

func serveCommand(args, environ []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	replace := flags.Bool("replace", false, "")
	cfg, err := load(flags, args, environ)
	if err != nil {
		return err
	}
	signals, hangups := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	level := new(slog.LevelVar)
	level.Set(logLevel(cfg.Log))
	log := loggerAt(level, cfg.Log.Format, stderr)
	for _, w := range cfg.Warnings() {
		log.Warn("the configuration asks for a change", "what", w)
	}
	done := make(chan error, 1)
	running := new(atomic.Pointer[live])
	go func() { done <- serve(ctx, cfg, *replace, environ, stdout, log, running) }()
	read := func() (configs.Config, error) {
		return configs.Load(flags.Lookup("config").Value.String(), environ)
	}
	reloads := reloader{cfg, read, level, log, running}
	for ctx.Err() == nil {
		select {
		case err := <-done:
			return err
		case <-hangups:
			reloads.reload()
		case s := <-signals:
			log.Info("ending, a second signal ends at once", "signal", s.String())
			cancel()
		}
	}
	select {
	case err := <-done:
		return err
	case <-signals:
		return errors.New("ended at once by a second signal")
	case <-time.After(cfg.HTTP.DrainTimeout + time.Second):
		return fmt.Errorf("not ended within http.drain_timeout (%s), cut", cfg.HTTP.DrainTimeout)
	}
}

// load parses a command's flags, to which it adds -config, and reads the configuration.
func load(flags *flag.FlagSet, args, environ []string) (cfg configs.Config, err error) {
	flags.SetOutput(io.Discard)
	path := flags.String("config", lookup(environ, configs.FileVariable), "")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return cfg, err
	} else if err != nil {
		return cfg, usageError(err.Error())
	}
	if flags.NArg() > 0 {
		return cfg, usageError(fmt.Sprintf("unexpected argument %q", flags.Arg(0)))
	}
	return configs.Load(*path, environ)
}

// lookup reads a variable of the environment handed to run.
func lookup(environ []string, name string) string {
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
