// Package e2e tries Duet as people use it: real headless browsers call each other through the real program.
//
// # Types
//
// A [Server] is the program (built once per run, with the race detector) in a process of its own. A [Browser] is one
// Chromium with one page of it open; its methods do what a person does, through the elements that carry data-testid, and
// read what a person cannot see, getStats above all ([Stats]). A [Cable] between the two can be cut. [Main] gives a package's tests a world of their own.
//
// # Goroutines and locks
//
// A test uses its servers and browsers from its own goroutine. What they print is collected by goroutines that end with
// the process they listen to, into a [Log], which has the package's only lock. Each process is started, waited for and
// killed from one goroutine locked to its thread, so that the kernel ends it should the tests die.
//
// # What it leaves behind
//
// Nothing. All runs in a network and a process namespace of its own (see [Main]), which the kernel clears away with
// everything in it when the test process ends, however it ends. Where neither root nor the kernel allows that, the tests
// use loopback, and each process is killed with its whole group.
package e2e
