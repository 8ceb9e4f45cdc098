//go:build linux

package e2e

// A call that lasts: nothing grows, and sound and picture stay together.

import (
	"math"
	"os"
	"slices"
	"testing"
	"time"
)

// longCall is how long that is: an hour in make test-all, or what DUET_LONG_CALL says where time is short.
func longCall(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("DUET_LONG_CALL")
	switch {
	case text == "" && os.Getenv("DUET_TEST_ALL") == "":
		return 20 * time.Second
	case text == "":
		return time.Hour
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("DUET_LONG_CALL: %v", err)
	}
	return d
}

// apart is by how many milliseconds what is seen now was recorded later than what is heard now. A browser that was not told
// that they belong together, or has had no reports of their clocks yet, does not know.
func (s Stats) apart() (ms float64, known bool) {
	if s.InVideo == nil || s.InAudio == nil || s.InVideo.Playout == 0 || s.InAudio.Playout == 0 {
		return 0, false
	}
	return s.InVideo.Playout - s.InAudio.Playout, true
}

// TestInTime: on the direct way too, sound and picture are played in time with each other.
func TestInTime(t *testing.T) {
	s := StartServer(t)
	alice := StartBrowser(t, s, "alice", BrowserOptions{})
	bob := StartBrowser(t, s, "bob", BrowserOptions{})
	connect(alice, bob, "?path=direct")
	for _, b := range []*Browser{alice, bob} {
		b.Eventually("the browser plays sound and picture in time", patience, func() bool {
			return slices.ContainsFunc(b.Stats(), func(s Stats) bool { _, known := s.apart(); return known })
		})
	}
}

func TestLongRelayedCall(t *testing.T) {
	length := longCall(t)
	s := StartServer(t, "relay.mode=always")
	alice := StartBrowser(t, s, "alice", BrowserOptions{})
	bob := StartBrowser(t, s, "bob", BrowserOptions{})
	both := []*Browser{alice, bob}
	connect(alice, bob, "")
	for _, b := range both {
		b.Sees(10)
		b.Hears()
	}

	begun := time.Now()
	var memory []int64
	apart := make([][]float64, len(both))
	frames := make([]int, len(both))
	still := make([]int, len(both))
	for time.Since(begun) < length {
		<-time.After(time.Second)
		memory = append(memory, s.Memory())
		for i, b := range both {
			all := b.Stats()
			if len(all) != 1 || all[0].InVideo == nil || all[0].InAudio == nil {
				t.Fatalf("%s has the connections %v, want one with sound and picture", b.Name, all)
			}
			if all[0].InVideo.Frames == frames[i] {
				still[i]++
			}
			frames[i] = all[0].InVideo.Frames
			if ms, known := all[0].apart(); known {
				apart[i] = append(apart[i], ms)
			}
		}
	}
	for i, b := range both {
		if len(apart[i]) < 4 {
			t.Fatalf("%s: the browser told %d times what is played when", b.Name, len(apart[i]))
		}
		// A browser takes its time to bring them together: what they are once it has is told by the second half.
		early, late := median(part(apart[i], 0)), median(slices.Concat(part(apart[i], 2), part(apart[i], 3)))
		t.Logf("%s: the picture is %.0f ms ahead of the sound at first, %.0f ms later on; %d frames in %v, %d seconds without a new one",
			b.Name, early, late, frames[i], length, still[i])
		if math.Abs(late) > 80 {
			t.Errorf("%s: sound and picture are %.0f ms apart, want at most 80", b.Name, late)
		}
	}
	// The first quarter is for filling caches and pools.
	first, last := median(part(memory, 1)), median(part(memory, 3))
	t.Logf("the server's memory: %d KiB in the second quarter, %d KiB in the last", first>>10, last>>10)
	if last > first+first/10+2<<20 {
		t.Errorf("the server's memory grew from %d to %d KiB", first>>10, last>>10)
	}
}

// part is a quarter of a list.
func part[T any](all []T, quarter int) []T {
	return all[len(all)*quarter/4 : len(all)*(quarter+1)/4]
}

func median[T int64 | float64](all []T) T {
	all = slices.Clone(all)
	slices.Sort(all)
	return all[len(all)/2]
}
