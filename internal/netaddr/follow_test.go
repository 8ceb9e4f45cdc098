package netaddr

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func found(texts ...string) (all []Found) {
	for _, text := range texts {
		all = append(all, Found{netip.MustParseAddr(text), "said"})
	}
	return all
}

func TestKeep(t *testing.T) {
	for _, tt := range []struct {
		name          string
		before, found []Found
		partial       bool
		want          []Found
	}{
		{"another address", found("8.8.4.4"), found("9.9.9.9"), false, found("9.9.9.9")},
		{"one more family", found("8.8.4.4"), found("8.8.4.4", "2a00::5"), false, found("8.8.4.4", "2a00::5")},
		{"one family less", found("8.8.4.4", "2a00::5"), found("2a00::5"), false, found("2a00::5")},
		{"nobody answers about a family", found("8.8.4.4", "2a00::5"), found("2a00::6"), true, found("8.8.4.4", "2a00::6")},
		{"no network for a while", found("8.8.4.4"), found("127.0.0.1"), false, found("8.8.4.4")},
		{"nothing at all", found("8.8.4.4"), nil, false, found("8.8.4.4")},
		{"a network at last", found("127.0.0.1"), found("192.168.1.7"), false, found("192.168.1.7")},
		{"loopback as before", found("127.0.0.1"), found("127.0.0.1"), false, found("127.0.0.1")},
	} {
		if got := keep(tt.before, tt.found, tt.partial); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		one, two, both, silent := found("8.8.4.4"), found("9.9.9.9"), found("9.9.9.9", "2a00::5"), []Found(nil)
		script := [][]Found{one, one, two, two, silent, silent, silent, both, both}
		find := func(context.Context) ([]Found, error) {
			now := script[0]
			if script = script[1:]; len(script) == 0 {
				cancel()
			}
			if now == nil {
				return nil, errors.New("no answer")
			}
			return now, nil
		}
		var changes [][]Found
		var log strings.Builder
		began := time.Now()
		follow(ctx, time.Minute, one, false, find, func(f []Found) { changes = append(changes, f) }, slog.New(slog.NewTextHandler(&log, nil)))
		if took := time.Since(began); took != 9*time.Minute {
			t.Errorf("looked 9 times in %s, want once a minute", took)
		}
		if len(changes) != 2 || !slices.Equal(changes[0], found("9.9.9.9")) || !slices.Equal(changes[1], found("9.9.9.9", "2a00::5")) {
			t.Errorf("changes: %v", changes)
		}
		if n := strings.Count(log.String(), "cannot be followed"); n != 1 {
			t.Errorf("%d warnings of one outage:\n%s", n, &log)
		}
	})
}
