// Package spin finds the fuzz input that never ends. Go's fuzzer gives an input ten seconds, and passes when its own time
// is over before that, so a short run would take an endless loop for a success. One timer's goroutine for each input; no
// lock.
package spin

import (
	"fmt"
	"runtime/debug"
	"testing"
	"time"
)

// limit is far more than an input takes on a busy machine, and less than what the shortest run lasts.
const limit = 2 * time.Second

// Watch ends the process, and so makes the input a finding, if t has not ended in time. The first line of every fuzz
// function.
func Watch(t *testing.T) {
	timer := time.AfterFunc(limit, func() {
		debug.SetTraceback("crash") // what spins is another goroutine, on another thread
		panic(fmt.Sprintf("spin: %s has not ended after %v", t.Name(), limit))
	})
	t.Cleanup(func() { timer.Stop() })
}
