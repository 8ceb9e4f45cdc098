// Package calls has two browsers call each other through the real program, with the networks of package natlab between
// them: the proof that a call connects wherever people are, takes the best path there, and keeps going when it changes.
//
// # Types
//
// A [World] is one internet with the program in it; a [Person] is a browser in some network. [World.Call] has one person
// call another and measures it, a [Result]; a [Scenario] says who calls whom and which path must come of it. A
// [Transition] is something that happens to a running call, a [Moved] what the call made of it. A [Weather] is a link that
// loses, delays or throttles, a [Compared] the relay beside the direct way in it. [Table], [Moves] and [Weathers] write
// what was found for people to read, into RESULTS.md when all of it was tried.
//
// # Limits
//
// Times are judged by the limits of an idle machine; where others use it too, four times as much is let pass and called
// slow. See slack.
//
// # Goroutines and locks
//
// All is done from the test's goroutine. What fails in a scenario ends the scenario, not the test: see [attempt]. The
// browsers and the program are processes in the laboratory's hosts and end with it.
package calls
