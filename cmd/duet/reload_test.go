package main

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// logs waits until the process has logged text. Its log is a pipe, so that it can be read while it is written.
func logs(t *testing.T, lines <-chan string, text string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case line := <-lines:
			if strings.Contains(line, text) {
				return
			}
		case <-deadline:
			t.Fatalf("nothing in the log says %q", text)
		}
	}
}

// lineWriter sends each line that is written to it.
type lineWriter chan string

func (w lineWriter) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		w <- line
	}
	return len(b), nil
}

// TestHangupReadsTheConfigurationAgain: a running server takes up the level, names what it cannot take up, keeps what it
// has when the file is wrong, and lives.
func TestHangupReadsTheConfigurationAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "duet.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("log:\n  level: warn\n")
	cmd := duet(t, nil, "-config", file)
	lines := make(lineWriter, 1000)
	s := startLogging(t, cmd, lines)
	hangup := func() {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hangup() // at level warn this says nothing; the next one must not be lost on it
	write("log:\n  level: debug\nturn:\n  realm: other\n")
	for said := false; !said; { // signals that come while one is handled are one
		hangup()
		select {
		case line := <-lines:
			said = strings.Contains(line, "configuration read again") && strings.Contains(line, "level=debug")
		case <-time.After(time.Second):
		}
	}
	logs(t, lines, "keys=turn.realm")
	write("log:\n  level: loud\n")
	hangup()
	logs(t, lines, `\"loud\" is not debug`)
	if res, err := http.Get(s.page + "/healthz"); err != nil || res.StatusCode != 200 {
		t.Errorf("after the signals: %v, %v", res, err)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Process.Signal(syscall.SIGHUP) // while it ends
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestLevelChangesUnderALogger(t *testing.T) {
	var out strings.Builder
	level := new(slog.LevelVar)
	log := loggerAt(level, "text", &out)
	log.Debug("before")
	level.Set(slog.LevelDebug)
	for range logBurst + 1 {
		log.Debug("after")
	}
	if got := strings.Count(out.String(), "after"); strings.Contains(out.String(), "before") || got != logBurst+1 {
		t.Errorf("%d lines, before the change as well: %v", got, strings.Contains(out.String(), "before"))
	}
}
