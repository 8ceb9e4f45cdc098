package signaling

// This file tests what clients hear of who is online.

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		plain := w.join("Plain")
		time.Sleep(time.Second)
		delta := w.join("Delta", "presence-delta")
		joinedAt := time.Now()
		seen := map[string]string{} // id to status, folded
		delta.send(`{"type":"ping"}`)
		delta.expect("pong")
		if m := plain.next(); len(m["users"].([]any)) != 2 || time.Since(joinedAt) != 0 {
			t.Errorf("an idle server waits %s to tell: %v", time.Since(joinedAt), m)
		}
		for _, x := range []*client{delta, plain} {
			seen[x.id] = "available"
		}
		var lists, deltas []time.Time
		fold := func() {
			synctest.Wait()
			for len(delta.in) > 0 {
				m := <-delta.in
				if m.typ() != "presence" || len(m["joined"].([]any))+len(m["left"].([]any))+len(m["status"].([]any)) == 0 {
					t.Fatalf("got %v", m)
				}
				for _, u := range m["joined"].([]any) {
					u := msg(u.(map[string]any))
					if u.str("id") == delta.id || seen[u.str("id")] != "" {
						t.Errorf("joined twice or itself: %v", u)
					}
					seen[u.str("id")] = u.str("status")
				}
				for _, u := range m["status"].([]any) {
					u := msg(u.(map[string]any))
					if seen[u.str("id")] == "" {
						t.Errorf("the status of nobody: %v", u)
					}
					seen[u.str("id")] = u.str("status")
				}
				for _, id := range m["left"].([]any) {
					if seen[id.(string)] == "" {
						t.Errorf("nobody left")
					}
					delete(seen, id.(string))
				}
				deltas = append(deltas, time.Now())
			}
		}
		others := []*client{}
		for i := range 60 {
			c := w.join(fmt.Sprint("User", i), []string{"presence-delta", "presence-none"}[i%2])
			others = append(others, c)
			if i%5 == 4 {
				connect(others[i-4], others[i-2])
			}
			if i%10 == 9 {
				others[i-1].send(`{"type":"leave"}`)
			}
			time.Sleep(17 * time.Millisecond)
			for synctest.Wait(); len(plain.in) > 0; {
				<-plain.in
				lists = append(lists, time.Now())
			}
			fold()
		}
		time.Sleep(time.Second)
		fold()
		var last msg
		for synctest.Wait(); len(plain.in) > 0; {
			last = <-plain.in
		}
		want := map[string]string{}
		for _, u := range last["users"].([]any) {
			u := msg(u.(map[string]any))
			want[u.str("id")] = u.str("status")
		}
		if fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Errorf("folded deltas:\n%v\nlist:\n%v", seen, want)
		}
		spaced := func(what string, at []time.Time, least time.Duration) {
			if len(at) < 3 {
				t.Errorf("%d %s", len(at), what)
			}
			for i := 1; i < len(at); i++ {
				if d := at[i].Sub(at[i-1]); d < least-17*time.Millisecond { // looked at every 17 ms
					t.Errorf("%s within %s", what, d)
				}
			}
		}
		spaced("lists", lists, 250*time.Millisecond)
		spaced("deltas", slices.Compact(deltas), 100*time.Millisecond)
	})
}
