//go:build !race || !(amd64 || arm64)

package lock

// Without -race: sync's types under other names. The methods are promoted, so a Lock is one inlined compare-and-swap.

import "sync"

// Mutex is a sync.Mutex of level L.
type Mutex[L Level] struct{ sync.Mutex }

// RWMutex is a sync.RWMutex of level L. RLock counts as Lock in the order: a reader waits for a writer that waits.
type RWMutex[L Level] struct{ sync.RWMutex }
