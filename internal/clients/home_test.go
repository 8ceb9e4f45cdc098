//go:build linux

package clients

// A home: a network of one host behind this one, whose UDP can be cut and whose address can change.

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"duet/internal/e2e"
)

type home struct {
	t    testing.TB
	pid  string // of a process that only keeps the network namespace
	link string // this side's end of its cable
	net  string // the first three bytes of its addresses
	last int    // the last byte
}

// newHome furnishes the nth home.
func newHome(t testing.TB, n int) *home {
	t.Helper()
	keeper := exec.Command("sleep", "infinity")
	keeper.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := keeper.Start(); err != nil {
		t.Fatal(err)
	}
	h := &home{t: t, pid: strconv.Itoa(keeper.Process.Pid), link: fmt.Sprintf("home%d", n), net: fmt.Sprintf("10.77.%d.", n)}
	t.Cleanup(func() {
		keeper.Process.Kill()
		keeper.Wait()
		exec.Command("ip", "link", "del", h.link).Run() // gone with the namespace, sooner or later
	})
	h.do("ip", "link", "add", h.link, "type", "veth", "peer", "name", "eth0", "netns", h.pid)
	h.do("ip", "addr", "add", h.net+"1/24", "dev", h.link)
	h.do("ip", "link", "set", h.link, "up")
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.inside("ip", "link", "set", "lo", "up")
	h.inside("ip", "link", "set", "eth0", "addrgenmode", "none")
	h.inside("ip", "link", "set", "eth0", "up")
	h.move()
	return h
}

func (h *home) do(args ...string) {
	h.t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		h.t.Fatalf("%v: %v: %s", args, err, out)
	}
}

func (h *home) inside(args ...string) {
	h.t.Helper()
	h.do(append([]string{"nsenter", "-t", h.pid, "-n"}, args...)...)
}

// wrap has a command run there.
func (h *home) wrap(cmd *exec.Cmd) {
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		h.t.Fatal(err)
	}
	cmd.Args = append([]string{"nsenter", "-t", h.pid, "-n", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = nsenter
}

// move gives the host another address, the first time its first.
func (h *home) move() {
	h.t.Helper()
	h.inside("ip", "addr", "flush", "dev", "eth0")
	h.last = max(9, h.last) + 1
	h.inside("ip", "addr", "add", h.net+strconv.Itoa(h.last)+"/24", "dev", "eth0")
	h.inside("ip", "route", "replace", "default", "via", h.net+"1")
}

// outage lets no UDP in or out for a time.
func (h *home) outage(d time.Duration) {
	h.t.Helper()
	rules := "flush ruleset; table ip lab { chain pre { type filter hook prerouting priority 0; iifname " + h.link + " meta l4proto udp drop; }; chain post { type filter hook postrouting priority 0; oifname " + h.link + " meta l4proto udp drop; }; }"
	h.do("nft", rules)
	<-time.After(d)
	h.do("nft", "flush", "ruleset")
}

// canMakeHomes: only in a world of its own, which needs root or a kernel that lets users make one.
func canMakeHomes() bool { return !strings.HasPrefix(e2e.Host(), "127.") }
