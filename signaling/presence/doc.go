// Package presence knows who is online and tells it: full lists to plain clients, changes to clients with presence-delta,
// each encoded once for all who get it. Its types are [Roster], [Entry] (a user) and [Watcher] (somebody who is told).
//
// # Goroutines
//
// [Roster.Run] is the teller, on the goroutine that calls it. It takes the changes that were noted since it looked last,
// keeps a picture of its own, and encodes and sends from that without a lock. Everything else only notes what has changed.
//
// # Locks
//
// Roster.mu guards what is noted, and who watches. It is above that of a connection, since what a newcomer gets must be in
// its queue before the next change is. Nothing is walked under it that grows with the number of users, except of a roster
// that is small: a newcomer to a large one gets the latest encoding, and what has changed since.
package presence
