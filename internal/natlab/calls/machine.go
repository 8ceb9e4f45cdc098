//go:build linux

// What the machine has to give: times are measured here, and the limits are those of an idle one.

package calls

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// slow is by how much a limit may be passed on a machine that others use too, before that is a failure.
const slow = 4

// slack is slow, or 1 where the machine has been idle for a second.
func slack() (int, error) {
	busy, all, err := jiffies()
	if err != nil {
		return 0, err
	}
	<-time.After(time.Second)
	busyNow, allNow, err := jiffies()
	if err != nil {
		return 0, err
	}
	if 4*(busyNow-busy) < allNow-all {
		return 1, nil
	}
	return slow, nil
}

// jiffies are the time that all cores have had, and what of it they were at work or taken away.
func jiffies() (busy, all int, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for i, word := range strings.Fields(line)[1:] {
		var n int
		if _, err := fmt.Sscan(word, &n); err != nil {
			return 0, 0, fmt.Errorf("read %q of /proc/stat: %w", line, err)
		}
		if i >= 8 { // guests are counted as users already
			break
		}
		if all += n; i != 3 && i != 4 { // idle, and idle while a disk works
			busy += n
		}
	}
	return busy, all, nil
}
