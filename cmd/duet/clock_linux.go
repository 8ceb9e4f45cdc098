package main

// What the kernel knows of the clock.

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// clock says whether somebody keeps the clock right.
func clock() (works, advice string, err error) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return "", "", fmt.Errorf("ask the kernel: %w", err)
	}
	if state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0 {
		return "nobody keeps it right, as far as the kernel knows; it says " + time.Now().UTC().Format(time.DateTime) + " UTC",
			"run a time service such as systemd-timesyncd or chrony: credentials and certificates are about time", nil
	}
	return fmt.Sprintf("kept right, within %s", (time.Duration(t.Maxerror) * time.Microsecond).Round(time.Millisecond)), "", nil
}
