package signaling

// This file tests what is remembered of sessions and calls that have ended.

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestPastForgetsWithoutSearching: what is looked at in a step does not grow with what is kept.
func TestPastForgetsWithoutSearching(t *testing.T) {
	p := newPast(time.Minute)
	start := time.Now()
	const n = 20 * pastChunk
	at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Millisecond) }
	for i := range n {
		p.add(fmt.Sprint(i), at(i))
	}
	now := at(n / 2).Add(time.Minute + time.Nanosecond)
	steps := 0
	for left := len(p.ids); p.forget(now); left = len(p.ids) {
		if steps++; left-len(p.ids) != pastChunk {
			t.Fatalf("a step forgets %d", left-len(p.ids))
		}
	}
	if steps != 10 || len(p.ids) != n/2 || p.has("0") || !p.has(fmt.Sprint(n-1)) || !p.has(fmt.Sprint(n/2)) {
		t.Errorf("%d steps, %d of %d left", steps, len(p.ids), n)
	}
	for p.forget(at(n).Add(time.Hour)) {
	}
	if len(p.ids) != 0 || len(p.chunks) != 0 {
		t.Errorf("%d ids and %d chunks stay", len(p.ids), len(p.chunks))
	}
}

// TestPastHoldsWhatCanComeBack: nothing else is written down.
func TestPastHoldsWhatCanComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b, c := w.join("Ann"), w.join("Bob"), w.join("Cat", "resume")
		connect(a, b)
		for _, x := range []*client{a, b, c} {
			x.send(msg{"type": "leave"})
			x.closed()
		}
		w.hub.do(func(st *step) {
			if len(st.past.ids) != 1 || !st.past.has(c.id) {
				t.Errorf("of two plain clients, their call and one that could resume %v are remembered", st.past.ids)
			}
		})
		time.Sleep(w.cfg.RestoreWindow + 2*time.Second)
		w.hub.do(func(st *step) {
			if len(st.past.ids) != 0 {
				t.Errorf("%v are remembered for ever", st.past.ids)
			}
		})
	})
}

// TestDueByTheMonotonicClock: what is due is counted from the start, so that a clock that is set back changes nothing.
func TestDueByTheMonotonicClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		time.Sleep(time.Hour)
		a := w.join("Ann", "resume")
		w.hub.do(func(st *step) {
			due := time.Duration(st.sessions[a.id].conn.renewAt.Load())
			if want := time.Hour + w.cfg.SessionRenewal; due != want {
				t.Errorf("the token is due at %v after the start, want %v", due, want)
			}
		})
	})
}
