//go:build linux

package e2e

// Processes that cannot outlive the tests, and what they print.

import (
	"bytes"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"duet/internal/lock"
)

// A Log collects what a process or a page says.
type Log struct {
	mu  lock.Mutex[lock.Leaf]
	buf bytes.Buffer
}

// Write never fails. What is beyond a megabyte is dropped from the front.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len() > 1<<20 {
		l.buf.Next(l.buf.Len() / 2)
	}
	return l.buf.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// tail is the last lines of it, indented.
func (l *Log) tail(lines int) string {
	all := strings.Split(strings.TrimSpace(l.String()), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return "    " + strings.Join(all, "\n    ")
}

// process is a child in a group of its own.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // of Wait; read after done
}

// start starts cmd from a goroutine that keeps its thread until the process ends: the kernel sends the death signal when
// the thread ends that started it.
func start(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	guard(cmd)
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// guard puts the command's process into a group of its own that dies with this process.
func guard(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

// signal sends to the process alone; one that has ended is no error.
func (p *process) signal(s syscall.Signal) { syscall.Kill(p.cmd.Process.Pid, s) }

// kill ends the whole group and waits for the process.
func (p *process) kill() {
	killGroup(p.cmd.Process.Pid)
	<-p.done
}

func killGroup(pid int) { syscall.Kill(-pid, syscall.SIGKILL) }

// wait is false when the process is still there after the time.
func (p *process) wait(d time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(d):
		return false
	}
}
