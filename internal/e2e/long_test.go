package e2e

// A call that lasts: nothing grows, and sound and picture stay together.

import (
	"math"
	"os"
	"slices"
	"testing"
	"time"
)

func TestLongRelayedCall(t *testing.T) {
	length, warm := 20*time.Second, 5*time.Second
	long := os.Getenv("DUET_TEST_ALL") != ""
	if long {
		length, warm = 10*time.Minute, time.Minute
	}
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
	var memory int64
	apart := make([][]float64, len(both))
	frames := make([]int, len(both))
	for time.Since(begun) < length {
		<-time.After(time.Second)
		if memory == 0 && time.Since(begun) > warm {
			memory = s.Memory()
		}
		for i, b := range both {
			all := b.Stats()
			if len(all) != 1 || all[0].InVideo == nil || all[0].InAudio == nil {
				t.Fatalf("%s has the connections %v, want one with sound and picture", b.Name, all)
			}
			if all[0].InVideo.Frames == frames[i] {
				t.Logf("%s: no new picture in a second, after %v", b.Name, time.Since(begun).Round(time.Second))
			}
			frames[i] = all[0].InVideo.Frames
			if v, a := all[0].InVideo.Playout, all[0].InAudio.Playout; v > 0 && a > 0 {
				apart[i] = append(apart[i], math.Abs(v-a))
			}
		}
	}
	for i, b := range both {
		if len(apart[i]) == 0 {
			t.Errorf("%s: the browser does not tell what is played when", b.Name)
			continue
		}
		last := apart[i][len(apart[i])/2:]
		slices.Sort(last)
		median := last[len(last)/2]
		t.Logf("%s: sound and picture are %.0f ms apart (median of the second half), %d frames in %v", b.Name, median, frames[i], length)
		if long && median > 80 { // a browser takes its time to bring them together
			t.Errorf("%s: sound and picture are %.0f ms apart, want at most 80", b.Name, median)
		}
	}
	if now := s.Memory(); now > memory+memory/2+16<<20 {
		t.Errorf("the server's memory grew from %d to %d MiB", memory>>20, now>>20)
	} else {
		t.Logf("the server's memory: %d MiB, then %d MiB", memory>>20, now>>20)
	}
}
