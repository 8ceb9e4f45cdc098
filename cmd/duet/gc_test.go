package main

import (
	"context"
	"runtime/debug"
	"testing"
)

func TestGCPercent(t *testing.T) {
	for _, c := range []struct {
		what        string
		made, inUse uint64
		want        int
	}{
		{"idle", 0, 4 << 20, 50},
		{"before the first collection", 1 << 19, 0, 100},
		{"little garbage", 1 << 19, 8 << 20, 50},
		{"not so little", 1 << 20, 8 << 20, 100},
		{"busy and small", 10 << 20, 8 << 20, 400},
		{"some garbage", 2 << 20, 8 << 20, 200},
		{"busy and large", 100 << 20, 200 << 20, 100},
	} {
		if got := gcPercent(c.made, c.inUse); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
}

// TestPaceLeavesGOGC: what an operator has set stays, and what was found is left behind.
func TestPaceLeavesGOGC(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, was := range []int{100, 250} {
		before := debug.SetGCPercent(was)
		if err := tuneGC(ended); err != nil {
			t.Error(err)
		}
		if got := debug.SetGCPercent(before); got != was {
			t.Errorf("GOGC is %d, was %d", got, was)
		}
	}
}
