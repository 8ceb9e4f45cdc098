//go:build linux

// A Lab: one internet, its identity on this machine, and the clearing away of what it and its dead predecessors made.

package natlab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	prefix  = "duetlab-"         // of every name on this machine: prefix, id, "-", host
	lockDir = "/run/duet-natlab" // one file for each Lab, locked as long as its process lives
)

// Available says why there can be no laboratory here, or nil.
func Available() error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root")
	}
	for _, tool := range []string{"ip", "tc", "bridge", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w (Debian packages iproute2 and nftables)", err)
		}
	}
	return nil
}

// T is what a Lab asks of its test; a *testing.T has it.
type T interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// A Lab is one internet. All its methods belong to the test's goroutine and end the test on failure.
type Lab struct {
	t    T
	id   string
	dir  string // for files of this Lab's programs
	lock *os.File
	core namespace

	names  []namespace
	sites  int               // networks at the core so far: the third byte of their public addresses
	lans   int               // networks so far: the third byte of their private addresses
	known  map[string]string // lines of every host's hosts file, by name
	hosts  []*Host
	closes []func() error // goroutines to end, in reverse order
}

// New clears away what dead processes left and makes an empty internet, which ends with the test. Where there can be no
// laboratory, such as on a laptop without root, the test is left out and says so; under CI=true it fails.
func New(t T) *Lab {
	t.Helper()
	if err := Available(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("natlab: the laboratory must run under CI: %v", err)
		}
		t.Skipf("natlab: left out: %v", err)
	}
	if err := sweep(); err != nil {
		t.Fatalf("natlab: clear away old laboratories: %v", err)
	}
	l := &Lab{t: t, known: make(map[string]string)}
	var err error
	if l.id, l.lock, err = claim(); err != nil {
		t.Fatalf("natlab: %v", err)
	}
	t.Cleanup(l.Close)
	l.dir = filepath.Join(os.TempDir(), prefix+l.id)
	l.must(os.Mkdir(l.dir, 0o700))
	l.core = l.namespace("core")
	l.must(l.core.sysctl("ipv4/ip_forward", "1", "ipv6/conf/all/forwarding", "1"))
	// The internet carries no private addresses. It drops them without a word, as access networks do.
	l.must(l.core.ip(
		"link set lo up",
		"route add blackhole 10.0.0.0/8", "route add blackhole 172.16.0.0/12",
		"route add blackhole 192.168.0.0/16", "route add blackhole 100.64.0.0/10",
		"route add blackhole fc00::/7",
	))
	return l
}

// Dir is a folder for files of this Lab's programs; it goes with the Lab.
func (l *Lab) Dir() string { return l.dir }

// Close ends every process in the Lab and removes all of it. New has it called at the end of the test.
func (l *Lab) Close() {
	if l.lock == nil {
		return
	}
	var errs []error
	for i := len(l.closes) - 1; i >= 0; i-- {
		errs = append(errs, l.closes[i]())
	}
	errs = append(errs, remove(l.names))
	if l.dir != "" {
		errs = append(errs, os.RemoveAll(l.dir))
	}
	errs = append(errs, os.Remove(l.lock.Name()), l.lock.Close())
	l.lock = nil
	if err := errors.Join(errs...); err != nil {
		l.t.Errorf("natlab: close: %v", err)
	}
}

func (l *Lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("natlab: %v", err)
	}
}

func (l *Lab) namespace(name string) namespace {
	l.t.Helper()
	n := namespace(prefix + l.id + "-" + name)
	l.names = append(l.names, n) // first, so that a half-made one is removed too
	l.must(n.add())
	return n
}

// Name makes a host name known in every host, now and later. It is written with and without the final dot, as browsers
// ask for names of STUN and TURN servers with one.
func (l *Lab) Name(name string, addrs ...netip.Addr) {
	l.t.Helper()
	var lines strings.Builder
	for _, a := range addrs {
		fmt.Fprintf(&lines, "%s %s %s.\n", a, name, name)
	}
	l.known[name] = lines.String()
	for _, h := range l.hosts {
		l.must(h.writeHosts())
	}
}

// claim makes a new id and holds its lock.
func claim() (string, *os.File, error) {
	if err := os.MkdirAll(lockDir, 0o755); err != nil {
		return "", nil, fmt.Errorf("make %s: %w", lockDir, err)
	}
	for {
		f, err := os.CreateTemp(lockDir, "")
		if err != nil {
			return "", nil, fmt.Errorf("claim an id: %w", err)
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			mine, _ := f.Stat()
			if named, err := os.Stat(f.Name()); err == nil && os.SameFile(mine, named) {
				return filepath.Base(f.Name()), f, nil
			}
		}
		f.Close() // another Lab's sweep took the new file for a dead one
	}
}

// sweep removes every Lab whose process is gone, also one that was killed without a chance to do it itself.
func sweep() error {
	locks, err := os.ReadDir(lockDir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range locks {
		f, err := os.OpenFile(filepath.Join(lockDir, e.Name()), os.O_RDWR, 0)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			if err := removeDead(e.Name()); err != nil {
				errs = append(errs, err)
			} else {
				errs = append(errs, ignoreMissing(os.Remove(f.Name())))
			}
		}
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// removeDead removes what the Lab of this id made.
func removeDead(id string) error {
	mine := prefix + id + "-"
	found := make(map[namespace]bool)
	for _, dir := range []string{netnsDir, netnsEtcDir} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), mine) {
				found[namespace(e.Name())] = true
			}
		}
	}
	var all []namespace
	for n := range found {
		all = append(all, n)
	}
	return errors.Join(remove(all), os.RemoveAll(filepath.Join(os.TempDir(), prefix+id)))
}

func ignoreMissing(err error) error {
	if errors.Is(err, syscall.ENOENT) {
		return nil
	}
	return err
}
