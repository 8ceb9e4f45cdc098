package bench

// This file reads what a process and the machine have used. The kernel's clock of a process counts nanoseconds; the
// numbers in /proc/PID/stat are hundredths of a second, too coarse for a run of a few seconds.

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Process is a server under test on this machine; the zero value is none, and all its readings are zero.
type Process struct{ PID int }

// Check says whether the process can be read.
func (p Process) Check() error {
	if p.PID == 0 {
		return nil
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d/status", p.PID)); err != nil {
		return fmt.Errorf("process %d: %w", p.PID, err)
	}
	_, err := processCPU(p.PID)
	return err
}

// CPU is the processor time, user and system, that the process has used so far.
func (p Process) CPU() time.Duration {
	if p.PID == 0 {
		return 0
	}
	d, err := processCPU(p.PID)
	if err != nil {
		return 0 // it has ended, which the measurement shows in other ways
	}
	return d
}

// RSS is its resident memory in bytes.
func (p Process) RSS() int64 {
	if p.PID == 0 {
		return 0
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.PID))
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "VmRSS:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// Self is this process.
func Self() Process { return Process{os.Getpid()} }

// Watch measures a span of time: what the server and this process took, and what everything else on the machine did.
type Watch struct {
	server                  Process
	start                   time.Time
	cpu, self, busy, stolen time.Duration
}

// Usage is what a span of time cost.
type Usage struct {
	Wall   time.Duration
	Server time.Duration // 0 when there is no process to look at
	Self   time.Duration // the generator's own
	Others float64       // cores busy with something else; also work of the kernel that is nobody's
	Stolen float64       // cores that a virtual machine's host gave to others while there was work for them
}

// StartWatch begins a span.
func StartWatch(server Process) Watch {
	w := Watch{server: server, start: time.Now(), cpu: server.CPU(), self: Self().CPU()}
	w.busy, w.stolen = machine()
	return w
}

// Stop ends the span.
func (w Watch) Stop() Usage {
	u := Usage{Wall: time.Since(w.start), Server: w.server.CPU() - w.cpu, Self: Self().CPU() - w.self}
	busy, stolen := machine()
	others := busy - w.busy - u.Self
	if w.server.PID != os.Getpid() {
		others -= u.Server
	}
	u.Others = max(0, float64(others)/float64(u.Wall))
	u.Stolen = max(0, float64(stolen-w.stolen)/float64(u.Wall))
	return u
}

// Doubts are the reasons in the machine not to believe the figures of a span.
func (u Usage) Doubts() (all []string) {
	if u.Others > 0.3 {
		all = append(all, fmt.Sprintf("others and the kernel used %.1f cores meanwhile", u.Others))
	}
	if u.Stolen >= 0.01 {
		all = append(all, fmt.Sprintf("the host took %.1f %% of a core away meanwhile", 100*u.Stolen))
	}
	return all
}

// machine is the time that all cores together have worked, and the time that they could not although they had work.
func machine() (busy, stolen time.Duration) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	for i, f := range strings.Fields(line) {
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks := time.Duration(n) * (time.Second / 100)
		switch i { // user nice system idle iowait irq softirq steal, after the word cpu; guest time is part of user
		case 1, 2, 3, 6, 7:
			busy += ticks
		case 8:
			stolen = ticks
		}
	}
	return busy, stolen
}

// Machine is one line about the machine that figures belong to.
func Machine() string {
	model, kernel := runtime.GOARCH, ""
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.Join(strings.Fields(v), " ")
				break
			}
		}
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel, _, _ = strings.Cut(strings.TrimSpace(string(b)), "-")
	}
	memory := ""
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		if f := strings.Fields(string(b)); len(f) > 1 {
			kib, _ := strconv.ParseInt(f[1], 10, 64)
			memory = fmt.Sprintf(", %d GiB", (kib+1<<19)>>20)
		}
	}
	return fmt.Sprintf("%d cores (%s)%s, %s %s, %s", runtime.NumCPU(), model, memory, runtime.GOOS, kernel, runtime.Version())
}
