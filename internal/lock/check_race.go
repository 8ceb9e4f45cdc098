//go:build race && (amd64 || arm64)

package lock

// The checker: what each goroutine holds, by goroutine, and the comparison with what it wants.
//
// Its functions are hidden from the race detector twice over: RaceDisable, since their own locks would order what
// nothing else orders, and go:norace, since without that order their own memory would look raced for. Their memory is
// a linked list, because slices and maps are watched by the runtime itself.

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
)

// holding is one lock in the hands of one goroutine.
type holding struct {
	goroutine uintptr
	lock      any // the *Mutex or *RWMutex
	rank      int
	level     string
	at        [4]uintptr // who took it
	next      *holding
}

type bucket struct {
	mu   sync.Mutex
	head *holding
}

// holdings is not a table but the program's state, the only one of its kind: a goroutine belongs to the whole process,
// and so does what it holds.
var holdings = [64]bucket{}

// bucketOf: the addresses end in zeros.
func bucketOf(goroutine uintptr) *bucket { return &holdings[goroutine>>7%uintptr(len(holdings))] }

// hold notes a lock, and panics before that when the order forbids to wait for it.
//
//go:norace
func hold(lock any, rank int, level string, ordered bool) {
	h := &holding{goroutine: goroutine(), lock: lock, rank: rank, level: level}
	runtime.Callers(4, h.at[:])
	var above *holding
	runtime.RaceDisable()
	b := bucketOf(h.goroutine)
	b.mu.Lock()
	for other := b.head; ordered && other != nil; other = other.next {
		if other.goroutine == h.goroutine && other.rank <= rank {
			above = other
		}
	}
	if above == nil {
		h.next = b.head
		b.head = h
	}
	b.mu.Unlock()
	runtime.RaceEnable()
	if above != nil {
		panic(fmt.Sprintf("lock order: a lock of level %s is wanted at %s, but one of level %s is held since %s",
			level, place(h), above.level, place(above)))
	}
}

// release forgets a lock of the calling goroutine.
//
//go:norace
func release(lock any) {
	id := goroutine()
	runtime.RaceDisable()
	b := bucketOf(id)
	b.mu.Lock()
	at := &b.head
	for *at != nil && ((*at).goroutine != id || (*at).lock != lock) {
		at = &(*at).next
	}
	found := *at != nil
	if found {
		*at = (*at).next
	}
	b.mu.Unlock()
	runtime.RaceEnable()
	if !found {
		panic("lock order: a goroutine unlocks what it has not locked")
	}
}

// goroutine names the calling goroutine: by the address of what the runtime keeps of it, which no other living goroutine
// has. Asking the runtime for a stack trace, which begins with a number, takes forty times as long.
func goroutine() uintptr

// place is the line that took a lock.
func place(h *holding) string {
	frames := runtime.CallersFrames(h.at[:])
	for {
		f, more := frames.Next()
		if !more || !strings.HasPrefix(f.Function, "duet/internal/lock.(*") {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
	}
}
