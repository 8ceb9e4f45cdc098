//go:build linux

// A network namespace: made, entered, emptied of processes and deleted.

package natlab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	netnsDir    = "/run/netns" // where iproute2 keeps names
	netnsEtcDir = "/etc/netns" // files that replace those of /etc for `ip netns exec`
)

// A namespace is known by its name alone, as iproute2 sees it.
type namespace string

func (n namespace) path() string { return filepath.Join(netnsDir, string(n)) }
func (n namespace) etc() string  { return filepath.Join(netnsEtcDir, string(n)) }

// add makes the namespace with the settings that every one of them needs: interfaces made later are quiet, filters of
// the reverse path are off (a host with two uplinks answers through either), and bridged frames stay out of nftables.
func (n namespace) add() error {
	if out, err := exec.Command("ip", "netns", "add", string(n)).CombinedOutput(); err != nil {
		return fmt.Errorf("add namespace %s: %w: %s", n, err, out)
	}
	return n.sysctl(
		"ipv4/conf/all/rp_filter", "0",
		"ipv4/conf/default/rp_filter", "0",
		"ipv6/conf/all/accept_ra", "0",
		"ipv6/conf/default/accept_ra", "0",
		"ipv6/conf/default/accept_dad", "0", // else an address is unusable for a second or two
		"ipv6/conf/default/use_tempaddr", "0",
		"ipv6/conf/default/keep_addr_on_down", "1",
		"?bridge/bridge-nf-call-iptables", "0",
		"?bridge/bridge-nf-call-ip6tables", "0",
		"?bridge/bridge-nf-call-arptables", "0",
	)
}

// do runs fn on a thread that is inside the namespace. Sockets that fn opens stay there, programs that it starts run
// there; goroutines that it starts do not.
func (n namespace) do(fn func() error) (err error) {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("find the way back from %s: %w", n, err)
	}
	defer home.Close()
	away, err := os.Open(n.path())
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter %s: %w", n, err)
	}
	defer away.Close()
	if err := unix.Setns(int(away.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter %s: %w", n, err)
	}
	defer func() {
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
			// The thread stays locked and so ends with its goroutine: nobody else must run in the wrong network.
			err = errors.Join(err, fmt.Errorf("leave %s: %w", n, back))
			return
		}
		runtime.UnlockOSThread()
	}()
	return fn()
}

// run starts a program inside, with input on its standard input, and waits for it.
func (n namespace) run(input string, name string, args ...string) error {
	return n.do(func() error {
		cmd := exec.Command(name, args...)
		cmd.Stdin = strings.NewReader(input)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %s %s: %w: %s%s", n, name, strings.Join(args, " "), err, out.String(), input)
		}
		return nil
	})
}

// ip runs lines of iproute2's batch language.
func (n namespace) ip(lines ...string) error {
	return n.run(strings.Join(lines, "\n")+"\n", "ip", "-batch", "-")
}

// nft loads rules.
func (n namespace) nft(rules string) error { return n.run(rules, "nft", "-f", "-") }

// sysctl takes pairs of a path below /proc/sys/net and a value. A path that begins with ? may be missing.
func (n namespace) sysctl(pairs ...string) error {
	return n.do(func() error {
		for i := 0; i+1 < len(pairs); i += 2 {
			key, optional := strings.CutPrefix(pairs[i], "?")
			err := os.WriteFile(filepath.Join("/proc/sys/net", key), []byte(pairs[i+1]), 0)
			if err != nil && !(optional && errors.Is(err, os.ErrNotExist)) {
				return fmt.Errorf("%s: set %s: %w", n, key, err)
			}
		}
		return nil
	})
}

// running waits until devices can carry packets. The kernel tells itself about a new carrier in its own time, up to a
// second later, and a bridge lets nothing through a port of which it has not heard.
func (n namespace) running(devs ...string) error {
	for _, dev := range devs {
		for end := time.Now().Add(5 * time.Second); !n.isRunning(dev); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				return fmt.Errorf("%s: %s does not come up", n, dev)
			}
		}
	}
	return nil
}

// isRunning says whether a device is up and has a carrier.
func (n namespace) isRunning(dev string) bool {
	var flags uint16
	err := n.do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		req, err := unix.NewIfreq(dev)
		if err == nil {
			err = unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req)
			flags = req.Uint16()
		}
		return err
	})
	return err == nil && flags&unix.IFF_RUNNING != 0
}

// members are the processes inside any of the namespaces.
func members(all []namespace) []int {
	inodes := make(map[uint64]bool)
	for _, n := range all {
		if st, ok := stat(n.path()); ok {
			inodes[st.Ino] = true
		}
	}
	if len(inodes) == 0 {
		return nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() { // a thread of ours may be inside at this moment
			continue
		}
		if st, ok := stat(filepath.Join("/proc", e.Name(), "ns/net")); ok && inodes[st.Ino] {
			pids = append(pids, pid)
		}
	}
	return pids
}

func stat(path string) (*syscall.Stat_t, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return st, ok
}

// remove ends all processes inside (they would keep a deleted namespace alive) and then deletes the namespaces.
func remove(all []namespace) error {
	var errs []error
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		pids := members(all)
		if len(pids) == 0 {
			break
		}
		if time.Now().After(end) {
			errs = append(errs, fmt.Errorf("processes %v do not end", pids))
			break
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
		}
	}
	for _, n := range all {
		if _, ok := stat(n.path()); ok {
			if out, err := exec.Command("ip", "netns", "del", string(n)).CombinedOutput(); err != nil {
				errs = append(errs, fmt.Errorf("delete namespace %s: %w: %s", n, err, out))
			}
		}
		if err := os.RemoveAll(n.etc()); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
