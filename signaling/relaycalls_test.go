package signaling

// This file tests that the relay is asked in the order of the steps.

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// TestRelayIsAskedInOrder: whoever carries the effects out, and however many steps there are at once.
func TestRelayIsAskedInOrder(t *testing.T) {
	h, err := New(DefaultConfig(), Deps{})
	if err != nil {
		t.Fatal(err)
	}
	var steps int
	var asked []int // by one goroutine at a time, says the race detector
	var work sync.WaitGroup
	const each, goroutines = 500, 8
	for range goroutines {
		work.Go(func() {
			for range each {
				h.do(func(st *step) {
					steps++
					number := steps
					st.relayCalls.add(func() { asked = append(asked, number) })
				})
			}
		})
	}
	work.Wait()
	if len(asked) != each*goroutines || !slices.IsSorted(asked) {
		t.Errorf("%d of %d were asked, in order: %t", len(asked), each*goroutines, slices.IsSorted(asked))
	}
}

// TestOffersOfOneReadKeepTheirOrder: the newer one is the last that the relay gets, and each is answered for itself.
func TestOffersOfOneReadKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &neighbour{mode: "fallback"}
		w := newWorld(t, func(_ *Config, d *Deps) { d.Relay = n })
		a, b := w.join("Ann"), w.join("Bob")
		connect(a, b)
		askForRelay(a, b)
		a.expect("relayStart")
		a.send(msg{"type": "offer", "target": "relay", "offer": msg{"type": "offer", "sdp": "first"}})
		a.expect("answer")
		synctest.Wait()
		n.take()
		for _, sdp := range []string{"overtaken", "bad", "overtaken", "newest"} {
			a.send(msg{"type": "offer", "target": "relay", "offer": msg{"type": "offer", "sdp": sdp}, "ref": sdp})
		}
		if m := a.refused("bad-message"); m.str("ref") != "bad" {
			t.Errorf("got %v", m)
		}
		a.expect("answer")
		want := "answer " + a.id + " overtaken; answer " + a.id + " bad; answer " + a.id + " overtaken; answer " + a.id + " newest"
		if got := n.take(); got != want {
			t.Errorf("the relay was asked %s", got)
		}
	})
}
