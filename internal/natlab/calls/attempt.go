//go:build linux

// Scenarios that fail without ending the test.

package calls

import (
	"fmt"
	"strings"
	"testing"
)

// attempt stands in for the test's T where a failure must end one scenario only: a fatal error unwinds to try.
type attempt struct {
	testing.TB
	faults []string
}

type unwound struct{}

func (a *attempt) Errorf(format string, args ...any) {
	a.TB.Helper()
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}
func (a *attempt) Error(args ...any) { a.Errorf("%s", strings.TrimSpace(fmt.Sprintln(args...))) }
func (a *attempt) Fail()             { a.Errorf("failed") }
func (a *attempt) FailNow()          { panic(unwound{}) }
func (a *attempt) Failed() bool      { return len(a.faults) > 0 || a.TB.Failed() }
func (a *attempt) Fatal(args ...any) { a.Error(args...); a.FailNow() }
func (a *attempt) Fatalf(format string, args ...any) {
	a.Errorf(format, args...)
	a.FailNow()
}

// try runs fn and returns what went wrong in it. A try within a try is a matter of its own.
func (a *attempt) try(fn func()) (err error) {
	outer := a.faults
	a.faults = nil
	defer func() {
		if r := recover(); r != nil {
			if _, ours := r.(unwound); !ours {
				panic(r)
			}
		}
		if len(a.faults) > 0 {
			err = fmt.Errorf("%s", strings.Join(a.faults, "; "))
		}
		a.faults = outer
	}()
	fn()
	return nil
}
