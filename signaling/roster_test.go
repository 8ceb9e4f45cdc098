package signaling

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
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
	for _, fr := range f.c.queue {
		var m struct {
			Type                  string
			Users, Joined, Status []struct{ ID, Status string }
			Left                  []string
		}
		if err := json.Unmarshal(fr.data, &m); err != nil {
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
	f.c.queue = f.c.queue[:0]
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
					f := &folding{c: &conn{hub: h, writing: true}, self: id}
					r.attach(f.c, featPresenceDelta)
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
