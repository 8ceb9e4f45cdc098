//go:build unix

package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestReplaceRefusesNoConnection(t *testing.T) {
	environ := []string{
		"DUET_STATE_DIR=" + t.TempDir(), "DUET_HTTP_LISTEN=" + freePort(t), "DUET_HTTP_ADMIN_LISTEN=" + freePort(t),
		"DUET_TURN_LISTEN=" + freePort(t), "DUET_RELAY_LISTEN=" + freePort(t),
	}
	old := start(t, duet(t, environ))

	// Without -replace the ports are taken, as by any other program.
	var exit *exec.ExitError
	if out, err := duet(t, environ).CombinedOutput(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("a second process beside the first: got %v, want exit code 1:\n%s", err, out)
	}

	stop, refused := make(chan struct{}), make(chan int)
	go func() {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 15 * time.Second}
		n := 0
		for {
			select {
			case <-stop:
				refused <- n
				return
			default:
			}
			res, err := client.Get(old.page + "/healthz")
			if err == nil {
				res.Body.Close()
			} else if errors.Is(err, syscall.ECONNREFUSED) {
				n++
			}
		}
	}()
	next := start(t, duet(t, environ, "serve", "-replace"))
	if err := old.cmd.Wait(); err != nil {
		t.Errorf("the old process ended with %v, want exit code 0:\n%s", err, old.stderr)
	}
	if code, _ := next.get(t, next.page+"/healthz"); code != 200 {
		t.Errorf("the new process answers %d, want 200", code)
	}
	close(stop)
	if n := <-refused; n > 0 {
		t.Errorf("%d connections were refused", n)
	}
}

// TestClaimOnFullDisk: no room for a number of five digits must not keep anybody from calling.
func TestClaimOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/dev/full", filepath.Join(dir, "duet.pid")); err != nil {
		t.Fatal(err)
	}
	mine, _, err := claim(dir)
	if err != nil || mine == nil {
		t.Fatalf("got %v, %v, want the claim", mine, err)
	}
	if err := mine.Close(); err != nil {
		t.Error(err)
	}
}

// TestUnlockableStateIsAWarning: a file system without locks, or with something in the pid file's place, keeps nobody
// from calling.
func TestUnlockableStateIsAWarning(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "duet.pid"), 0o700); err != nil {
		t.Fatal(err)
	}
	environ := []string{"DUET_STATE_DIR=" + dir}
	s := start(t, duet(t, environ))
	s.cmd.Process.Signal(os.Interrupt)
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
	if !strings.Contains(s.stderr.String(), "level=WARN") || !strings.Contains(s.stderr.String(), "duet.pid") {
		t.Errorf("got no warning that names duet.pid in:\n%s", s.stderr)
	}
	if out, err := duet(t, environ, "-replace").CombinedOutput(); err == nil || !strings.Contains(string(out), "find the process to replace") {
		t.Errorf("-replace: got %v:\n%s", err, out)
	}
}

// TestReplaceEndsNobodyElse: a number in the pid file may belong to another program by now, here or in another container.
func TestReplaceEndsNobodyElse(t *testing.T) {
	bystander := exec.Command("sleep", "60")
	if err := bystander.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		bystander.Process.Kill()
		bystander.Wait()
	}()
	dir := t.TempDir()
	f, err := os.OpenFile(filepath.Join(dir, "duet.pid"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(f, bystander.Process.Pid)
	if _, err := takeOver(t.Context(), dir, true, quiet()); err == nil || !strings.Contains(err.Error(), "left alone") {
		t.Errorf("got %v, want a refusal", err)
	}
	if err := bystander.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the bystander: %v", err)
	}
}

func TestStateDir(t *testing.T) {
	for _, tt := range []struct {
		configured string
		environ    []string
		want       string
	}{
		{"/a", []string{"STATE_DIRECTORY=/b"}, "/a"},
		{"", []string{"STATE_DIRECTORY=/b", "HOME=/h"}, "/b"},
		{"", []string{"STATE_DIRECTORY=/b:/c:/d"}, "/b"},
		{"", []string{"STATE_DIRECTORY=", "XDG_STATE_HOME=/x"}, "/x/duet"},
		{"", []string{"HOME=/h"}, "/h/.local/state/duet"},
		{"", nil, ""},
	} {
		if got := stateDir(tt.configured, tt.environ); got != tt.want {
			t.Errorf("%q, %q: got %s, want %s", tt.configured, tt.environ, got, tt.want)
		}
	}
}
