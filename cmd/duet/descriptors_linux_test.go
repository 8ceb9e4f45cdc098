package main

// A process without file descriptors left.

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestPortsOutliveTheLastDescriptor: a process that has no file descriptor left accepts nobody, and goes on when it has.
func TestPortsOutliveTheLastDescriptor(t *testing.T) {
	const limit = 64
	turn := freePort(t)
	cmd := duet(t, []string{"DUET_TURN_LISTEN=" + turn})
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path, cmd.Args = shell, append([]string{"sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, limit), cmd.Path}, cmd.Args[1:]...)
	s := start(t, cmd)
	eventually := func(what string, cond func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !cond(); <-time.After(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("not in 20 s: " + what)
			}
		}
	}
	running := dialText(t, turn)
	running.SetDeadline(time.Now().Add(time.Minute))
	answered := func(c net.Conn) {
		t.Helper()
		if _, err := mappedOver(t, c); err != nil {
			t.Fatal(err)
		}
	}
	answered(running)

	for name, addr := range map[string]string{"HTTP": strings.TrimPrefix(s.page, "http://"), "TURN": turn} {
		var flood []net.Conn
		for range 2 * limit {
			flood = append(flood, dialText(t, addr))
		}
		eventually("the "+name+" port takes all descriptors", func() bool {
			open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
			return err == nil && len(open) >= limit
		})
		answered(running)
		for _, c := range flood {
			c.Close()
		}
		answered(dialText(t, turn))
		if code, body := s.get(t, s.page+"/healthz"); code != 200 {
			t.Errorf("the page after a flood of the %s port: got %d %q", name, code, body)
		}
	}
	_, metrics := s.get(t, s.more+"/metrics")
	if !strings.Contains(metrics, `duet_turn_drops_total{reason="accept"} `) || strings.Contains(metrics, `duet_turn_drops_total{reason="accept"} 0`) {
		t.Error("TURN's port has never failed to accept")
	}
}
