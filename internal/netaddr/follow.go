package netaddr

// This file follows addresses while a server runs: leases end, providers give others.

import (
	"context"
	"log/slog"
	"slices"
	"time"
)

// Source is where addresses are found: a STUN server at host:port, or the interfaces where that is empty.
type Source string

// Find looks once.
func (s Source) Find(ctx context.Context) ([]Found, error) {
	if s == "" {
		return FromInterfaces()
	}
	return FromSTUN(ctx, string(s))
}

// Follow looks every so often and calls changed when there are other addresses than before, which is what was found last.
// What cannot be seen stays as it is: an address of a family about which the STUN server does not answer, and all of them
// while there is nothing but loopback. It returns when ctx ends.
func (s Source) Follow(ctx context.Context, every time.Duration, before []Found, changed func([]Found), log *slog.Logger) {
	follow(ctx, every, before, s != "", s.Find, changed, log)
}

func follow(ctx context.Context, every time.Duration, before []Found, partial bool, find func(context.Context) ([]Found, error), changed func([]Found), log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	blind := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := find(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !blind {
			log.Warn("the public address cannot be followed", "error", err)
		}
		if blind = err != nil; blind {
			continue
		}
		if now = keep(before, now, partial); !slices.EqualFunc(before, now, func(a, b Found) bool { return a.Addr == b.Addr }) {
			before = now
			changed(now)
		}
	}
}

// keep is what to announce after before, now that this was found, which may say nothing about a family.
func keep(before, found []Found, partial bool) []Found {
	if isLoopback(found) && !isLoopback(before) {
		return before
	}
	now := slices.Clone(found)
	for _, old := range before {
		if partial && !slices.ContainsFunc(found, func(f Found) bool { return f.Addr.Is4() == old.Addr.Is4() }) {
			now = append(now, old)
		}
	}
	slices.SortStableFunc(now, func(a, b Found) int { return a.Addr.BitLen() - b.Addr.BitLen() })
	return now
}

func isLoopback(list []Found) bool {
	return !slices.ContainsFunc(list, func(f Found) bool { return !f.Addr.IsLoopback() })
}
