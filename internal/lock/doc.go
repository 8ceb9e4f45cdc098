// Package lock gives every mutex a level, so that the order in which locks may be taken is a fact of the types and not
// of comments: a goroutine takes a lock only of a lower level than all that it holds. Who keeps to that cannot wait in
// a circle.
//
// [Mutex] and [RWMutex] are sync's, with the level as their type parameter:
//
//	mu lock.Mutex[lock.Leaf] // guards leases
//
// Built with -race (for amd64 and arm64) they check the order on every Lock and panic where it is broken, naming both levels and the line
// that holds; built without, they are sync's types and nothing else, of the same size and at the same cost.
//
// No goroutines of its own. The checker's own locks stand below all levels and are hidden from the race detector:
// otherwise any two Locks would be ordered by them, and races between the two would not be found any more.
package lock
