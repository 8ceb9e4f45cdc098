//go:build race && (amd64 || arm64)

package lock

// With -race: sync's types, and the check of the order before each.

import "sync"

// Mutex is a sync.Mutex of level L.
type Mutex[L Level] struct{ mu sync.Mutex }

// Lock locks m. It panics when the calling goroutine holds a lock whose level is not above L.
func (m *Mutex[L]) Lock() {
	take[L](m, true)
	m.mu.Lock()
}

// TryLock locks m if nobody holds it. It cannot wait and so may be called in any order; what is taken afterwards has to
// be below L all the same.
func (m *Mutex[L]) TryLock() bool {
	ok := m.mu.TryLock()
	if ok {
		take[L](m, false)
	}
	return ok
}

// Unlock unlocks m. It panics when another goroutine has locked it.
func (m *Mutex[L]) Unlock() {
	release(m)
	m.mu.Unlock()
}

// RWMutex is a sync.RWMutex of level L. RLock counts as Lock in the order: a reader waits for a writer that waits.
type RWMutex[L Level] struct{ mu sync.RWMutex }

// Lock locks m for writing; see [Mutex.Lock].
func (m *RWMutex[L]) Lock() {
	take[L](m, true)
	m.mu.Lock()
}

// TryLock is as [Mutex.TryLock].
func (m *RWMutex[L]) TryLock() bool {
	ok := m.mu.TryLock()
	if ok {
		take[L](m, false)
	}
	return ok
}

// Unlock ends Lock.
func (m *RWMutex[L]) Unlock() {
	release(m)
	m.mu.Unlock()
}

// RLock locks m for reading; see [Mutex.Lock].
func (m *RWMutex[L]) RLock() {
	take[L](m, true)
	m.mu.RLock()
}

// TryRLock is as [Mutex.TryLock].
func (m *RWMutex[L]) TryRLock() bool {
	ok := m.mu.TryRLock()
	if ok {
		take[L](m, false)
	}
	return ok
}

// RUnlock ends RLock.
func (m *RWMutex[L]) RUnlock() {
	release(m)
	m.mu.RUnlock()
}

// take notes that the calling goroutine holds m, or is about to.
func take[L Level](m any, ordered bool) {
	var level L
	hold(m, level.rank(), level.name(), ordered)
}
