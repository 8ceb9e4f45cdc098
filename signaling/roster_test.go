package signaling

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"duet/signaling/protocol"
)

// folding is a delta client's view.
type folding struct {
	c    *conn
	self string
	has  map[string]string
}

// fold takes what came, as the protocol says: joined, status, left.
func (f *folding) fold(t *testing.T) {
	t.Helper()
	for _, fr := range f.c.shelf().queue {
		var m struct {
			Type                  string
			Users, Joined, Status []struct{ ID, Status string }
			Left                  []string
		}
		if err := json.Unmarshal(fr.Data, &m); err != nil {
			t.Fatal(err)
		}
		if m.Type == "userList" {
			f.has = map[string]string{}
			for _, u := range m.Users {
				f.has[u.ID] = u.Status
			}
		}
		for _, u := range m.Joined {
			if _, there := f.has[u.ID]; there || u.ID == f.self {
				t.Fatalf("%s hears of %s twice, or of itself", f.self, u.ID)
			}
			f.has[u.ID] = u.Status
		}
		for _, u := range m.Status {
			if _, there := f.has[u.ID]; !there {
				t.Fatalf("%s hears the status of %s, of whom it has not heard", f.self, u.ID)
			}
			f.has[u.ID] = u.Status
		}
		for _, id := range m.Left {
			if _, there := f.has[id]; !there {
				t.Fatalf("%s hears that %s left, of whom it has not heard", f.self, id)
			}
			delete(f.has, id)
		}
	}
	f.c.shelf().queue = nil
}

// TestFoldedDeltas: whatever happens between the ticks, folding what comes
// always gives what a fresh list says.
func TestFoldedDeltas(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		r := newRoster(time.Second, time.Second)
		h := &Hub{cfg: DefaultConfig()}
		now := time.Unix(1, 0)
		present := map[string]*entry{}
		var watching []*folding
		for i := range 300 {
			ids := slices.Sorted(maps.Keys(present))
			pick := func() *entry { return present[ids[rng.IntN(len(ids))]] }
			switch n := rng.IntN(10); {
			case n < 4 || len(ids) == 0:
				id := fmt.Sprint("u", i)
				present[id] = r.add(id, id, "available")
				if rng.IntN(2) == 0 {
					f := &folding{c: onShelf(h), self: id}
					r.attach(f.c, protocol.FeaturePresenceDelta)
					watching = append(watching, f)
				}
			case n < 7:
				r.set(pick(), []string{"available", "ringing", "busy"}[rng.IntN(3)])
			case n < 9:
				e := pick()
				r.remove(e)
				delete(present, e.id)
				watching = slices.DeleteFunc(watching, func(f *folding) bool {
					if f.self == e.id {
						r.detach(f.c)
					}
					return f.self == e.id
				})
			default:
				now = now.Add(time.Second)
				r.flush(now)
			}
		}
		r.flush(now.Add(time.Second))
		want := map[string]string{}
		for id, e := range present {
			want[id] = e.status
		}
		for _, f := range watching {
			if f.fold(t); !maps.Equal(f.has, want) {
				t.Fatalf("seed %d: %s folds to\n%v, want\n%v", seed, f.self, f.has, want)
			}
		}
	}
}

// TestListsShareTheLine: lists for thousands of plain clients take turns, each
// the newest, and together no more than a line carries.
func TestListsShareTheLine(t *testing.T) {
	const clients = 1000
	r := newRoster(250*time.Millisecond, time.Second)
	h := &Hub{cfg: DefaultConfig()}
	var e *entry
	for i := range clients {
		e = r.add(fmt.Sprint("u", i), strings.Repeat("n", 1000), "available")
	}
	var all []*conn
	for range clients {
		c := onShelf(h)
		r.attach(c, 0)
		all = append(all, c)
	}
	got := make([]int, clients)
	take := func() (bytes int) {
		for i, c := range all {
			for _, f := range c.shelf().queue {
				got[i]++
				bytes += f.Size
			}
			c.shelf().queue = nil
		}
		return bytes
	}
	first := take()
	now := time.Now()
	const second = 100 << 20
	due := now.Add(time.Duration(first) * time.Second / second) // what the first lists took
	start, sent := now, 0
	for i := 0; now.Sub(start) < 60*time.Second; i++ { // all the time something changes
		r.set(e, []string{"busy", "available"}[i%2])
		next := r.flush(now)
		n := take()
		if n > 0 && now.Before(due.Add(-time.Second)) {
			t.Fatalf("%d bytes at %s", n, now.Sub(start))
		}
		sent += n
		if next <= 0 {
			t.Fatal("somebody waits, but no timer runs")
		}
		now = now.Add(max(next, rosterPause))
	}
	if most := int(now.Sub(due).Seconds()+1) * second; sent > most || sent < most*9/10 {
		t.Errorf("%d MB in a minute, want %d", sent>>20, most>>20)
	}
	if least, most := slices.Min(got), slices.Max(got); most-least > 1 {
		t.Errorf("clients got %d to %d lists", least, most)
	}
	// When nothing changes any more, everybody hears the last of it.
	for next := r.flush(now); next > 0; next = r.flush(now) {
		now = now.Add(next)
	}
	for _, c := range all {
		if c.watch.seen != r.version {
			t.Fatal("somebody was left with an old list")
		}
	}
}

// TestTimedChanges: a change wakes the roster only when no timer will.
func TestTimedChanges(t *testing.T) {
	woken := func(r *roster) bool {
		select {
		case <-r.wake:
			return true
		default:
			return false
		}
	}
	for _, f := range []protocol.Features{0, protocol.FeaturePresenceDelta} {
		r := newRoster(time.Second, time.Second)
		e := r.add("u", "U", "available")
		if woken(r) {
			t.Error("nobody is there to be told")
		}
		c := onShelf(&Hub{cfg: DefaultConfig()})
		told := 0
		tell := func(at time.Time) time.Duration {
			next := r.flush(at)
			told += len(c.shelf().queue)
			c.shelf().queue = nil
			return next
		}
		r.attach(c, f)
		c.shelf().queue = nil
		now := time.Now().Add(2 * time.Second)
		r.set(e, "busy")
		if !woken(r) || tell(now) != 0 || told != 1 {
			t.Fatal("a change after a pause was not told at once")
		}
		r.set(e, "available")
		if !woken(r) || tell(now.Add(time.Millisecond)) != 999*time.Millisecond {
			t.Error("a change within the interval has no timer")
		}
		r.set(e, "ringing")
		if woken(r) {
			t.Error("woken although a timer runs")
		}
		if tell(now.Add(time.Second)) != 0 || told != 2 {
			t.Error("the timer told nothing")
		}
		r.set(e, "busy")
		if !woken(r) {
			t.Error("not woken when no timer runs")
		}
	}
}
