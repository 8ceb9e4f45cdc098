//go:build unix

package main

// A rolling update: `duet serve -replace` takes the place of the process that
// runs with the same state directory. The new process opens the TCP ports
// beside the old one (SO_REUSEPORT), so that no connection is refused, sends it
// SIGTERM, and waits for the UDP ports, which cannot be shared: the kernel would
// hand packets of running allocations to a process that does not know them.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// shared opens a TCP port that a later process with -replace can open too. A
// port that is open already is refused unless replace says that this is meant.
func shared(addr string, replace bool) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if cerr := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }); cerr != nil {
			return cerr
		}
		return err
	}}
	if !replace {
		// Without the option, the kernel tells whether anybody has the port.
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, err
		}
		addr = l.Addr().String()
		if err := l.Close(); err != nil {
			return nil, err
		}
	}
	return lc.Listen(context.Background(), "tcp", addr)
}

// pidFile names the process that uses a state directory and holds a lock that ends with it.
type pidFile struct{ f *os.File }

// claim takes the state directory's pid file. With another process alive there
// it returns that process's number and no claim.
func claim(dir string) (*pidFile, int, error) {
	f, err := os.OpenFile(filepath.Join(dir, "duet.pid"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, 0, err
	}
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		defer f.Close()
		text := make([]byte, 20)
		n, _ := f.Read(text)
		pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
		if err != nil || pid <= 1 {
			return nil, 0, fmt.Errorf("%s is locked and names no process", f.Name())
		}
		return nil, pid, nil
	case err != nil:
		f.Close()
		return nil, 0, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	if err := errors.Join(f.Truncate(0), second(f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0))); err != nil && !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) {
		f.Close()
		return nil, 0, err
	}
	// On a full disk the lock is what we get: nobody will find us to take our place, but calls can be made.
	return &pidFile{f}, 0, nil
}

// Close gives the directory up; a nil claim has nothing to give.
func (p *pidFile) Close() error {
	if p == nil {
		return nil
	}
	return p.f.Close()
}

// terminate sends SIGTERM to the process of this number if it is the one that holds dir. The number alone says little: it may be
// another container's, whose processes are counted anew, another machine's, or from before the disk was full.
func terminate(pid int, dir string) error {
	p, err := os.FindProcess(pid) // on Linux this holds on to the process, not to its number
	if err != nil {
		return fmt.Errorf("end process %d: %w", pid, err)
	}
	defer p.Release()
	if holds, err := locks(pid, filepath.Join(dir, "duet.pid")); err != nil {
		return fmt.Errorf("find out whether process %d holds the state directory: %w", pid, err)
	} else if !holds {
		return fmt.Errorf("the state directory is held by a process of another container or machine, process %d there; process %d here was left alone: end the other one yourself", pid, pid)
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("end process %d: %w", pid, err)
	}
	return nil
}

// locks reports whether a process that has this number here holds a lock on the file.
func locks(pid int, path string) (bool, error) {
	if runtime.GOOS != "linux" { // nobody says
		return true, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	all, err := os.ReadFile("/proc/locks") // 1: FLOCK ADVISORY WRITE 4711 fe:01:12345 0 EOF
	if err != nil {
		return false, err
	}
	number, inode := strconv.Itoa(pid), fmt.Sprintf(":%d", info.Sys().(*syscall.Stat_t).Ino)
	for line := range strings.Lines(string(all)) {
		if f := strings.Fields(line); len(f) == 8 && f[1] == "FLOCK" && f[4] == number && strings.HasSuffix(f[5], inode) {
			return true, nil
		}
	}
	return false, nil
}

// takeOver claims dir, with replace after ending the process that holds it. A
// directory that cannot be claimed is a warning, for that serves a later -replace
// only; without replace one that another process holds is none: several may share it.
func takeOver(ctx context.Context, dir string, replace bool, log *slog.Logger) (*pidFile, error) {
	if dir == "" {
		return nil, nil
	}
	mine, other, err := claim(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
		return nil, nil // loadState has warned of it
	case err != nil && replace:
		return nil, fmt.Errorf("find the process to replace: %w", err)
	case err != nil:
		log.Warn("the state directory cannot be locked, -replace will not find this process", "error", err)
		return nil, nil
	case mine != nil || !replace:
		return mine, nil
	}
	if err := terminate(other, dir); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); {
		if mine, _, err = claim(dir); err != nil || mine != nil {
			return mine, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil, fmt.Errorf("process %d has not ended 15 s after SIGTERM", other)
}

func second[T any](_ T, err error) error { return err }
