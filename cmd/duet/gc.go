package main

// This file lets the garbage collector wait while a small server is busy, and
// keeps a calm one small. Signaling makes megabytes of garbage a second and holds
// few, so the heap, and with it the stack of every connection, would be collected
// several times a second. A server that makes little for what it holds needs no
// room for as much again, and gives back what a busier time took: the garbage of
// thousands of joins, and stacks that grew for them, would stay with the process
// until the next collection, which a calm server does not need.

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	collectPause = 8 * time.Second // between two collections, unless
	collectAt    = 32 << 20        // so much garbage is there
	leastHeap    = 4 << 20         // nothing is known to be in use before the first collection
	tidyAt       = 8 << 20         // a calm server gives back what so much garbage took
)

// tuneGC follows how much garbage is made, until ctx ends. Who has set
// GOGC keeps it.
func tuneGC(ctx context.Context) error {
	const usual = 100
	if was := debug.SetGCPercent(usual); was != usual {
		debug.SetGCPercent(was)
		return nil
	}
	defer debug.SetGCPercent(usual)
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}}
	metrics.Read(samples)
	last, set, tidied := samples[0].Value.Uint64(), usual, uint64(0)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		metrics.Read(samples)
		made := samples[0].Value.Uint64() - last
		last += made
		inUse := samples[1].Value.Uint64() + samples[2].Value.Uint64()
		percent := gcPercent(made, inUse)
		if max(percent-set, set-percent) > set/4 { // each change stops the world for a moment
			debug.SetGCPercent(percent)
			set = percent
		}
		if tidied += made; percent < usual && tidied > max(tidyAt, inUse/2) {
			debug.FreeOSMemory()
			tidied = 0
		}
	}
}

// gcPercent is the GOGC for what was allocated in a second, over what is in use.
func gcPercent(made, inUse uint64) int {
	garbage, inUse := made*uint64(collectPause/time.Second), max(inUse, leastHeap)
	if garbage <= inUse/2 {
		return 50
	}
	return int(max(100, min(garbage, collectAt)*100/inUse))
}
