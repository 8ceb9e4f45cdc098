package turn

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Payloads that are larger than a path takes go in fragments, on every way out of the server. The path is the loopback
// interface of a network of its own, in which this test runs itself once more.
func TestNarrowPath(t *testing.T) {
	const inside = "NARROW_PATH"
	if os.Getenv(inside) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
		if os.Geteuid() != 0 {
			cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "mtu", "1280", "up").CombinedOutput(); err != nil {
		t.Fatalf("ip: %v\n%s", err, out)
	}
	for _, network := range []string{"udp4", "udp"} {
		for _, way := range []string{"segments", "frames", "relay", "indication"} {
			t.Run(network+" "+way, func(t *testing.T) {
				fd, family, _, err := openUDP(network, map[string]string{"udp4": "127.0.0.1:0", "udp": ":0"}[network], false, 0, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer unix.Close(fd)
				conn, addr := peer(t)
				o := newOutbox(fd, newStats())
				o.gso = way == "segments"
				to := makeSockaddr(addr, family)
				a := &allocation{sockaddr: to}
				if way == "indication" {
					to.control = makeControl(netip.MustParseAddr("127.0.0.1"), family)
				}
				var want []string
				for i := range 3 {
					text := fmt.Sprint(i, strings.Repeat("x", 1400))
					want = append(want, text)
					switch way {
					case "segments", "frames":
						o.add(a, []byte(text))
					case "relay":
						err = sendto(fd, []byte(text), &to)
					case "indication":
						err = sendmsg(fd, []byte(text), &to)
					}
					if err != nil {
						t.Error(err)
					}
				}
				o.flush()
				for _, text := range want {
					expectAt(t, conn, text)
				}
				if n := o.stats.dropped[dropUnreachable].Load(); n != 0 {
					t.Errorf("%d frames counted as unreachable", n)
				}
			})
		}
	}
}
