//go:build !udp_standin

package udp

// Paths that take less than a datagram.

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
				sock := listen(t, network, Options{})
				conn, addr := peer(t)
				o := NewOutbox(sock, 8, way == "segments", lossless(t))
				to := sock.Sockaddr(addr, netip.Addr{})
				if way == "indication" {
					to = NewSockaddr(addr, netip.MustParseAddr("127.0.0.1"), sock.inet6)
				}
				var err error
				var want []string
				for i := range 3 {
					text := fmt.Sprint(i, strings.Repeat("x", 1400))
					want = append(want, text)
					switch way {
					case "segments", "frames":
						o.Add(&to, []byte(text))
					case "relay":
						err = sock.SendTo([]byte(text), addr)
					case "indication":
						err = sock.Send([]byte(text), &to)
					}
					if err != nil {
						t.Error(err)
					}
				}
				o.Flush()
				for _, text := range want {
					expectAt(t, conn, text)
				}
			})
		}
	}
}
