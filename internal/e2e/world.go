//go:build linux

package e2e

// The world the tests run in: namespaces with one network address that exists nowhere else.

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
)

// worldVar tells the process that it is the one inside.
const worldVar = "DUET_TEST_WORLD"

// worldAddr is the machine's only address inside, besides loopback. A private one: defaults must serve a home network.
const worldAddr = "10.77.0.1"

// noWorld is the exit code of a process that was started in namespaces and may not furnish them.
const noWorld = 97

// Main builds the program, runs a package's tests and ends the process: call it from TestMain. The tests get a network of
// their own, in which nothing can leave the machine and nothing of the machine matters, and a process namespace of their
// own: when its first process ends, by success, panic or kill -9, the kernel kills every browser and server in it. That
// needs root, or a kernel that lets users make namespaces; else the tests run on the machine's own network.
func Main(m *testing.M) {
	if os.Getenv(worldVar) != "" {
		if err := enterWorld(); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			os.Exit(noWorld)
		}
		os.Exit(m.Run())
	}
	dir, err := build()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Setenv(programVar, dir)
	code, err := inNewWorld()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e: on this machine's own network:", err)
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// inNewWorld runs this test binary again, in namespaces of its own, and returns its exit code; an error says that it could
// not.
func inNewWorld() (code int, err error) {
	// The kernel kills the child when the thread that started it ends.
	runtime.LockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), worldVar+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case !errors.As(err, &exit):
		return 0, err
	case exit.ExitCode() == noWorld:
		return 0, errors.New("a namespace cannot be set up")
	}
	return max(exit.ExitCode(), 1), nil
}

// enterWorld furnishes the namespaces that this process was started in.
func enterWorld() error {
	// Mounts made here stay here, and /proc tells of the processes here: Chromium reads it.
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", "duet0", "type", "veth", "peer", "name", "duet1"},
		// No link-local addresses: they come up a second late, and a browser that sees its network change drops what it loads.
		{"link", "set", "duet0", "addrgenmode", "none"},
		{"link", "set", "duet1", "addrgenmode", "none"},
		{"link", "set", "duet1", "up"},
		{"link", "set", "duet0", "up"},
		{"addr", "add", worldAddr + "/24", "dev", "duet0"},
		{"route", "add", "default", "dev", "duet0"}, // browsers take the address of the default route for theirs
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	return nil
}

// Host is the address at which servers listen and browsers reach them.
func Host() string {
	if os.Getenv(worldVar) != "" {
		return worldAddr
	}
	return "127.0.0.1"
}

// freePort is a port that nobody has, for UDP and TCP.
func freePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", net.JoinHostPort(Host(), "0"))
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenPacket("udp", l.Addr().String())
		l.Close()
		if err != nil {
			continue
		}
		u.Close()
		return strconv.Itoa(port)
	}
	t.Fatal("no port is free for both UDP and TCP")
	return ""
}
