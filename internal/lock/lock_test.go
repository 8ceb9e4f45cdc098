package lock

// Both builds: what a mutex is and costs.

import (
	"sync"
	"testing"
	"unsafe"
)

var _ sync.Locker = (*Mutex[Leaf])(nil) // sync.NewCond takes it

func TestMutexIsSyncs(t *testing.T) {
	if got, want := unsafe.Sizeof(Mutex[Hub]{}), unsafe.Sizeof(sync.Mutex{}); got != want {
		t.Errorf("a Mutex has %d bytes, sync's %d", got, want)
	}
	if got, want := unsafe.Sizeof(RWMutex[Hub]{}), unsafe.Sizeof(sync.RWMutex{}); got != want {
		t.Errorf("an RWMutex has %d bytes, sync's %d", got, want)
	}
	var m Mutex[Leaf]
	held := 0
	if n := testing.AllocsPerRun(100, func() {
		m.Lock()
		held++
		m.Unlock()
	}); !checked && n != 0 {
		t.Errorf("a Lock allocates %v times", n)
	}
}

func BenchmarkMutex(b *testing.B) {
	b.Run("sync", func(b *testing.B) {
		var m sync.Mutex
		held := 0
		for b.Loop() {
			m.Lock()
			held++
			m.Unlock()
		}
	})
	b.Run("lock", func(b *testing.B) {
		var m Mutex[Leaf]
		held := 0
		for b.Loop() {
			m.Lock()
			held++
			m.Unlock()
		}
	})
}
