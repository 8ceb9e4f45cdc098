package main

import (
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// freePort is a port that was free a moment ago, for TCP and UDP.
func freePort(t *testing.T) string {
	t.Helper()
	for range 20 {
		l := listenLocal(t)
		pc, err := net.ListenPacket("udp", l.Addr().String())
		l.Close()
		if err == nil {
			pc.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("found no port that is free for TCP and UDP")
	return ""
}

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
