//go:build race && (amd64 || arm64)

package lock

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// checked: this build looks at the order.
const checked = true

// fault is what fn panics with.
func fault(fn func()) (msg string) {
	defer func() {
		if r := recover(); r != nil {
			msg = fmt.Sprint(r)
		}
	}()
	fn()
	return ""
}

func TestOrder(t *testing.T) {
	var (
		hub        Mutex[Hub]
		room       RWMutex[Room]
		leaf, twin Mutex[Leaf]
	)
	for name, c := range map[string]struct {
		fn   func()
		want []string // what the panic says; nothing means none
	}{
		"down": {func() {
			hub.Lock()
			room.RLock()
			leaf.Lock()
			leaf.Unlock()
			room.RUnlock()
			hub.Unlock()
		}, nil},
		"down, other ends":   {func() { hub.Lock(); leaf.Lock(); hub.Unlock(); leaf.Unlock() }, nil},
		"up":                 {func() { leaf.Lock(); defer leaf.Unlock(); hub.Lock() }, []string{"level Hub is wanted", "level Leaf is held", "check_race_test.go"}},
		"up to read":         {func() { leaf.Lock(); defer leaf.Unlock(); room.RLock() }, []string{"level Room is wanted", "level Leaf is held"}},
		"beside":             {func() { leaf.Lock(); defer leaf.Unlock(); twin.Lock() }, []string{"level Leaf is wanted", "level Leaf is held"}},
		"twice":              {func() { room.RLock(); defer room.RUnlock(); room.RLock() }, []string{"level Room is wanted", "level Room is held"}},
		"up, without a wait": {func() { leaf.Lock(); hub.TryLock(); hub.Unlock(); leaf.Unlock() }, nil},
		"below a try":        {func() { leaf.TryLock(); defer leaf.Unlock(); twin.Lock() }, []string{"level Leaf is wanted"}},
		"a hidden one":       {func() { hub.Lock(); leaf.Lock(); defer hub.Unlock(); defer leaf.Unlock(); room.Lock() }, []string{"level Room is wanted", "level Leaf is held"}},
		"another's": {func() {
			leaf.Lock()
			got := make(chan string)
			go func() { got <- fault(leaf.Unlock) }()
			defer leaf.Unlock()
			panic(<-got)
		}, []string{"unlocks what it has not locked"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := fault(c.fn)
			for _, part := range c.want {
				if !strings.Contains(got, part) {
					t.Errorf("panic %q does not say %q", got, part)
				}
			}
			if c.want == nil && got != "" {
				t.Error(got)
			}
		})
	}
	for i := range holdings {
		if holdings[i].head != nil {
			t.Error("a lock is still noted though none is held")
		}
	}
}

// TestConcurrent: goroutines whose share a bucket do not see each other's locks.
func TestConcurrent(t *testing.T) {
	var all sync.WaitGroup
	var shared Mutex[Hub]
	n := 0
	for range 4 * len(holdings) {
		all.Go(func() {
			var own Mutex[Leaf]
			for range 100 {
				shared.Lock()
				own.Lock()
				n++
				own.Unlock()
				shared.Unlock()
			}
		})
	}
	all.Wait()
	if want := 4 * len(holdings) * 100; n != want {
		t.Errorf("counted %d, want %d", n, want)
	}
}
