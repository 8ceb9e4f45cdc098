//go:build linux

// Package clients is the laboratory of stock clients: programs with somebody else's WebRTC library call each other and the
// page, through the real server.
//
// # Goroutines and locks
//
// A test uses its clients from its own goroutine. What they print is collected by goroutines that end with the process they
// listen to, into an [e2e.Log], which has a lock. All runs in a world of its own (see [e2e.Main]), which the kernel clears away.
package clients
