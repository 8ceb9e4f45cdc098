//go:build linux

package e2e

// The tests' own network and processes.

import "testing"

func TestMain(m *testing.M) { Main(m) }
