package presence

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
	c    *shelf
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
		if err := json.Unmarshal(slices.Concat(fr.Data, fr.Tail), &m); err != nil {
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
	f.c.queue = nil
}

// TestFoldedDeltas: whatever happens between the ticks, folding what comes
// always gives what a fresh list says.
func TestFoldedDeltas(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		r := New(time.Second, time.Second)
		now := time.Unix(1, 0)
		present := map[string]*Entry{}
		for i := range seed % 2 * 3 * smallRoster { // newcomers to a large roster get a list that is not their own
			id := fmt.Sprint("old", i)
			present[id] = r.Add(id, id, false, "available")
		}
		plain := &folding{c: &shelf{}}
		r.Attach(&plain.c.watch, plain.c, false, time.Now())
		var watching []*folding
		for i := range 300 {
			ids := slices.Sorted(maps.Keys(present))
			pick := func() *Entry { return present[ids[rng.IntN(len(ids))]] }
			switch n := rng.IntN(10); {
			case n < 4 || len(ids) == 0:
				id := fmt.Sprint("u", i)
				present[id] = r.Add(id, id, false, "available")
				if rng.IntN(2) == 0 {
					f := &folding{c: &shelf{}, self: id}
					r.Attach(&f.c.watch, f.c, true, time.Now())
					watching = append(watching, f)
				}
			case n < 7:
				r.Set(pick(), []string{"available", "ringing", "busy"}[rng.IntN(3)], time.Now())
			case n < 9:
				e := pick()
				r.Remove(e)
				delete(present, e.id)
				watching = slices.DeleteFunc(watching, func(f *folding) bool {
					if f.self == e.id {
						r.Detach(&f.c.watch)
					}
					return f.self == e.id
				})
			default:
				now = now.Add(time.Second)
				r.flush(now)
			}
		}
		r.flush(now.Add(time.Second))
		for now = time.Now().Add(10 * time.Second); r.flush(now) > 0; {
			now = now.Add(10 * time.Second)
		}
		want := map[string]string{}
		for id, e := range present {
			want[id] = e.status
		}
		if plain.fold(t); !maps.Equal(plain.has, want) {
			t.Fatalf("seed %d: the last list has\n%v, want\n%v", seed, plain.has, want)
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
	r := New(250*time.Millisecond, time.Second)
	var e *Entry
	for i := range clients {
		e = r.Add(fmt.Sprint("u", i), strings.Repeat("n", 1000), false, "available")
	}
	var all []*shelf
	for range clients {
		c := &shelf{}
		r.Attach(&c.watch, c, false, time.Now())
		all = append(all, c)
	}
	got := make([]int, clients)
	take := func() (bytes int) {
		for i, c := range all {
			for _, f := range c.queue {
				got[i]++
				bytes += f.Size
			}
			c.queue = nil
		}
		return bytes
	}
	first := take()
	now := time.Now()
	const second = 100 << 20
	due := now.Add(time.Duration(first) * time.Second / second) // what the first lists took
	start, sent := now, 0
	for i := 0; now.Sub(start) < 60*time.Second; i++ { // all the time something changes
		r.Set(e, []string{"busy", "available"}[i%2], time.Now())
		next := r.flush(now)
		n := take()
		if n > 0 && now.Before(due.Add(-time.Second)) {
			t.Fatalf("%d bytes at %s", n, now.Sub(start))
		}
		sent += n
		if next <= 0 {
			t.Fatal("somebody waits, but no timer runs")
		}
		now = now.Add(max(next, pause))
	}
	if most := int((now.Sub(due).Seconds() + 1) * second); sent > most || sent < most*9/10 {
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
	woken := func(r *Roster) bool {
		select {
		case <-r.wake:
			return true
		default:
			return false
		}
	}
	for _, f := range []bool{false, true} {
		r := New(time.Second, time.Second)
		e := r.Add("u", "U", false, "available")
		if woken(r) {
			t.Error("nobody is there to be told")
		}
		c := &shelf{}
		told := 0
		tell := func(at time.Time) time.Duration {
			next := r.flush(at)
			told += len(c.queue)
			c.queue = nil
			return next
		}
		r.Attach(&c.watch, c, f, time.Now())
		c.queue = nil
		now := time.Now().Add(2 * time.Second)
		r.Set(e, "busy", time.Now())
		if !woken(r) || tell(now) != 0 || told != 1 {
			t.Fatal("a change after a pause was not told at once")
		}
		r.Set(e, "available", time.Now())
		if !woken(r) || tell(now.Add(time.Millisecond)) != 999*time.Millisecond {
			t.Error("a change within the interval has no timer")
		}
		r.Set(e, "ringing", time.Now())
		if woken(r) {
			t.Error("woken although a timer runs")
		}
		if tell(now.Add(time.Second)) != 0 || told != 2 {
			t.Error("the timer told nothing")
		}
		r.Set(e, "busy", time.Now())
		if !woken(r) {
			t.Error("not woken when no timer runs")
		}
	}
}

// TestFreshDeltas: lists that come between two deltas fold to the same.
func TestFreshDeltas(t *testing.T) {
	r := New(time.Second, time.Second)
	at := time.Unix(1, 0)
	receiver := func() *shelf {
		c := &shelf{}
		r.Attach(&c.watch, c, true, time.Now())
		return c
	}
	old := receiver()
	a := r.Add("u_a", "A", false, "available")
	b := r.Add("u_b", "B", false, "available")
	between := receiver() // knows A and B
	r.Set(a, "busy", time.Now())
	r.Remove(b)
	c := r.Add("u_c", "C", false, "available")
	r.Set(c, "ringing", time.Now())
	r.Remove(c)
	r.flush(at)
	if len(old.queue) != 2 || len(between.queue) != 2 {
		t.Fatalf("%d and %d frames", len(old.queue), len(between.queue))
	}
	for _, x := range []struct {
		c    *shelf
		want string
	}{
		{old, `{"type":"presence","joined":[{"id":"u_a","username":"A","status":"busy"}],"left":[],"status":[]}`},
		{between, `{"type":"presence","joined":[],"left":["u_b"],"status":[{"id":"u_a","status":"busy"}]}`},
	} {
		if got := string(slices.Concat(x.c.queue[1].Data, x.c.queue[1].Tail)); got != x.want {
			t.Errorf("got  %s\nwant %s", got, x.want)
		}
	}
	r.Set(a, "available", time.Now())
	r.flush(at.Add(time.Millisecond))
	if len(old.queue) != 2 {
		t.Error("two deltas within the interval")
	}
	r.flush(at.Add(time.Second))
	if len(old.queue) != 3 || &old.queue[2].Data[0] != &between.queue[2].Data[0] {
		t.Error("a delta was encoded twice")
	}
}

// shelf is a connection whose frames nobody writes: they are looked at where they lie.
type shelf struct {
	watch Watcher
	queue []protocol.Frame
}

func (s *shelf) Push(f protocol.Frame) (room bool) { s.queue = append(s.queue, f); return true }
func (s *shelf) Flush()                            {}
func (s *shelf) Close(uint16, string)              {}
func (s *shelf) Closing() bool                     { return false }
func (s *shelf) Abort()                            {}
func (s *shelf) LastFrameAt() time.Time            { return time.Now() }

// TestChangesAreHeld: whoever changes all the time is told of at a bearable pace, and the last state arrives.
func TestChangesAreHeld(t *testing.T) {
	r := New(time.Second, 100*time.Millisecond)
	f := &folding{c: &shelf{}}
	now := time.Now()
	r.Attach(&f.c.watch, f.c, true, now)
	e := r.Add("u", "U", false, "available")
	told := 0
	for i := range 1000 { // 10 seconds
		now = now.Add(10 * time.Millisecond)
		r.Set(e, []string{"ringing", "available"}[i%2], now)
		if next := r.flush(now); next < 0 || next > changeEvery {
			t.Fatalf("the next look is in %s", next)
		}
		told += len(f.c.queue)
		f.fold(t)
	}
	if told < 10 || told > 10+changeBurst+1 {
		t.Errorf("%d changes were told in 10 s", told)
	}
	r.Set(e, "busy", now)
	for next := r.flush(now); next > 0; next = r.flush(now) {
		now = now.Add(next)
	}
	if f.fold(t); f.has["u"] != "busy" {
		t.Errorf("the last that was told is %q", f.has["u"])
	}
	if len(r.held) > 0 {
		t.Error("somebody is held for ever")
	}
	r.Set(e, "ringing", now)
	for range changeBurst + 1 {
		r.Set(e, "busy", now)
		r.Set(e, "ringing", now)
	}
	r.Remove(e)
	for range 5 {
		now = now.Add(time.Second)
		r.flush(now)
	}
	if f.fold(t); len(f.has) > 0 || len(r.held) > 0 {
		t.Errorf("%v are left, %d are held", f.has, len(r.held))
	}
}

// TestChangesShareTheLine: changes for thousands of clients are bounded in bytes as lists are.
func TestChangesShareTheLine(t *testing.T) {
	const clients, second = 1000, 100 << 20
	r := New(250*time.Millisecond, 100*time.Millisecond)
	var all []*shelf
	for range clients {
		c := &shelf{}
		r.Attach(&c.watch, c, true, time.Now())
		all = append(all, c)
	}
	sent, largest := 0, 0
	start := time.Now()
	for at := time.Duration(0); at < 2*time.Second; at += 20 * time.Millisecond {
		for i := range 100 { // 5,000 joins a second, half a megabyte of changes
			r.Add(fmt.Sprint(at, i), strings.Repeat("n", 60), false, "available")
		}
		r.flush(start.Add(at))
		for _, c := range all {
			for _, f := range c.queue {
				sent += len(f.Data)
				largest = max(largest, len(f.Data)*clients)
			}
			c.queue = nil
		}
	}
	if most := 2*second + largest; sent > most || sent < second/2 {
		t.Errorf("%d MB in 2 s, the largest of them %d", sent>>20, largest>>20)
	}
}

// TestManyNewcomers: those who come between two deltas by the hundred are brought up to date with shared frames.
func TestManyNewcomers(t *testing.T) {
	r := New(time.Second, time.Second)
	var all []*folding
	now := time.Now()
	join := func(i int) {
		id := fmt.Sprint("u", i)
		f := &folding{c: &shelf{}, self: id}
		r.Add(id, id, false, "available")
		r.Attach(&f.c.watch, f.c, true, now)
		all = append(all, f)
	}
	for round := range 2 {
		for i := range 270 {
			join(round*270 + i)
			if i%3 == 0 {
				r.Set(r.entries[i/2], []string{"busy", "available"}[i%2], now)
			}
		}
		now = now.Add(10 * time.Second)
		r.flush(now)
		frames := map[*byte]bool{}
		for _, f := range all {
			for _, fr := range f.c.queue[min(1, len(f.c.queue)):] {
				frames[&fr.Data[0]] = true
			}
			if len(f.c.queue) > 30 {
				t.Fatalf("%d frames for one", len(f.c.queue))
			}
			f.fold(t)
		}
		if len(frames) > 2500 {
			t.Errorf("%d frames were encoded", len(frames))
		}
	}
	want := map[string]string{}
	for _, e := range r.entries {
		want[e.id] = e.status
	}
	for _, f := range all {
		if !maps.Equal(f.has, want) {
			t.Fatalf("%s has %d, want %d", f.self, len(f.has), len(want))
		}
	}
}
