//go:build linux

package clients

// Rows of the table that fail without ending the test.

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// attempt stands in for the test's T where a failure must end one row only: a fatal error unwinds to try.
type attempt struct {
	testing.TB
	faults   []string
	cleanups []func()
}

type unwound struct{}

func (a *attempt) Errorf(format string, args ...any) {
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}
func (a *attempt) Error(args ...any)   { a.Errorf("%s", strings.TrimSpace(fmt.Sprintln(args...))) }
func (a *attempt) Fail()               { a.Errorf("failed") }
func (a *attempt) FailNow()            { panic(unwound{}) }
func (a *attempt) Failed() bool        { return len(a.faults) > 0 || a.TB.Failed() }
func (a *attempt) Fatal(args ...any)   { a.Error(args...); a.FailNow() }
func (a *attempt) Cleanup(what func()) { a.cleanups = append(a.cleanups, what) }
func (a *attempt) Fatalf(format string, args ...any) {
	a.Errorf(format, args...)
	a.FailNow()
}

// try runs fn and tells what went wrong in it, "" for nothing.
func (a *attempt) try(fn func()) string {
	a.faults = nil
	func() {
		defer func() {
			if r := recover(); r != nil && r != any(unwound{}) {
				panic(r)
			}
		}()
		fn()
	}()
	return strings.Join(a.faults, "; ")
}

// clear does what Cleanup was given, the last first.
func (a *attempt) clear() string {
	return a.try(func() {
		for _, what := range slices.Backward(a.cleanups) {
			what()
		}
		a.cleanups = nil
	})
}

// until asks often for a condition, and gives the time that it took.
func until(t testing.TB, limit time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for ; !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Since(start) > limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
	return time.Since(start)
}
