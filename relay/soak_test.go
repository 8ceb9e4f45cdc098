package relay

// An hour of calls: nothing grows.

import (
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
)

func TestSoak(t *testing.T) {
	length := time.Hour
	if text := os.Getenv("DUET_SOAK"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	} else if os.Getenv("DUET_TEST_ALL") == "" {
		t.Skip("takes an hour: DUET_TEST_ALL=1, or a while: DUET_SOAK=10m")
	}
	s := startWith(t, nil, Deps{})
	// One call goes on all the time.
	a, b, e := pair(t, s, clientOptions{})
	talk(t, a, b)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			for _, c := range []*client{a, b} {
				c.send("audio", []byte("a"))
				c.send("video", keyPayload)
			}
		}
	}()
	defer func() { close(stop); <-stopped }()

	// Others come and go beside it. After each, this is what is left.
	var heap, goroutines []int
	for began := time.Now(); time.Since(began) < length; {
		if !t.Run("call", func(t *testing.T) { comeAndGo(t, s) }) {
			return
		}
		for _, c := range []*client{a, b} {
			c.forget()
		}
		until(t, "the first call to go on", func() bool {
			return len(a.received("audio")) > 0 && len(a.received("video")) > 0 && len(b.received("audio")) > 0 && len(b.received("video")) > 0
		})
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first one found to be closed
		runtime.ReadMemStats(&m)
		heap, goroutines = append(heap, int(m.HeapAlloc)), append(goroutines, runtime.NumGoroutine())
	}
	if e.has("failed") {
		t.Errorf("events %q", e.seen)
	}
	// The first quarter is for what is made once. The test's own log grows by some 80 bytes a call.
	for _, of := range []struct {
		what    string
		seen    []int
		allowed int
	}{{"bytes of heap", heap, 1 << 18}, {"goroutines", goroutines, 4}} {
		n := len(of.seen) / 4
		if n < 4 {
			t.Fatalf("%d calls are too few to tell", len(of.seen))
		}
		before, after := median(of.seen[n:2*n]), median(of.seen[3*n:])
		t.Logf("%s after each of %d calls: %d, then %d", of.what, len(of.seen), before, after)
		if after > before+before/20+of.allowed {
			t.Errorf("%s grew from %d to %d", of.what, before, after)
		}
	}
}

func median(of []int) int {
	of = slices.Clone(of)
	slices.Sort(of)
	return of[len(of)/2]
}

// comeAndGo is the life of one call: mutes, a restart, a reload.
func comeAndGo(t *testing.T, s *Server) {
	if err := s.Open("c_2", nil); err != nil {
		t.Fatal(err)
	}
	a, b := join(t, s, "c_2", "carol", clientOptions{}), join(t, s, "c_2", "dan", clientOptions{})
	connect(t, a, b)
	talk(t, a, b)
	s.Mute("c_2", "carol", "video", false)
	s.Mute("c_2", "carol", "video", true)
	if err := a.negotiate(&webrtc.OfferOptions{ICERestart: true}); err != nil {
		t.Fatal(err)
	}
	talk(t, a, b)
	a.leave()
	again := join(t, s, "c_2", "carol", clientOptions{})
	connect(t, again)
	b.forget()
	talk(t, again, b)
	s.Close("c_2")
}

// forget drops what was recorded.
func (c *client) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.in)
	clear(c.body)
	c.control = nil
}
