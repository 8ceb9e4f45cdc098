package bench

// This file is what Linux has of clocks: of processes, and to sleep by.

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// processCPU uses the clock id that clock_getcpuclockid(3) makes of a pid: its complement, and 2 for the scheduler's clock.
func processCPU(pid int) (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|2, &ts); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// SleepUntil sleeps on this thread until t, much closer to it than the runtime's timers come.
func SleepUntil(t time.Time) {
	if d := time.Until(t); d > 0 {
		ts := unix.NsecToTimespec(int64(d))
		_ = unix.Nanosleep(&ts, nil) // waking early is harmless
	}
}

// SharpenTimers lets this thread's sleeps end within microseconds; the default slack is 50.
func SharpenTimers() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) }
