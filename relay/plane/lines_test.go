package plane

import (
	"testing"
	"time"
)

const secondLine, toBobScreen = 0xa4, 0x1b4

// twoLines is a call in which alice has two video lines, and bob one or two.
func twoLines(bobs int, change func(first, second *Stream)) *Translator {
	a, b := alice(1), bob(2)
	second := *a.Streams[Video]
	second.Mid, second.Source, second.SourceRTX, second.Out = "2", secondLine, 0, 0x1a4
	a.Streams[Screen] = &second
	if bobs == 2 {
		s := *b.Streams[Video]
		s.Mid, s.Source, s.SourceRTX, s.Out, s.OutRTX = "c", 0xb4, 0, toBobScreen, 0
		b.Streams[Screen] = &s
	}
	if change != nil {
		change(a.Streams[Video], &second)
	}
	t := NewTranslator()
	t.SetLeg(0, a)
	t.SetLeg(1, b)
	return t
}

// show sends a key frame of a line and tells under which SSRC it goes on; 0 is not at all.
func show(t *testing.T, tr *Translator, ssrc uint32, seq uint16, now time.Duration) uint32 {
	t.Helper()
	b := make1(t, 96, ssrc, seq, uint32(seq), key)
	if v, _ := tr.RTP(0, b, now); v != Forward {
		return 0
	}
	return read(t, b).SSRC
}

// The other end has one line: the screen is shown there while it is on, and the camera else, under numbers that go on.
func TestTwoLinesForOne(t *testing.T) {
	tr := twoLines(1, nil)
	numbers := map[uint16]bool{}
	now, seq := time.Second, uint16(100)
	for i, c := range []struct {
		screen       bool
		first, other uint32
	}{{false, toBobVideo, 0}, {true, 0, toBobVideo}, {false, toBobVideo, 0}, {true, 0, toBobVideo}} {
		tr.SetOn(0, Screen, c.screen)
		for range 5 {
			now, seq = now+100*time.Millisecond, seq+1
			for ssrc, want := range map[uint32]uint32{aliceVideo: c.first, secondLine: c.other} {
				b := make1(t, 96, ssrc, seq, uint32(seq), key)
				got := uint32(0)
				if v, _ := tr.RTP(0, b, now); v == Forward {
					p := read(t, b)
					if got = p.SSRC; numbers[p.SequenceNumber] {
						t.Fatalf("number %d is given out twice", p.SequenceNumber)
					}
					numbers[p.SequenceNumber] = true
				}
				if got != want {
					t.Errorf("step %d: %#x goes on as %#x, want %#x", i, ssrc, got, want)
				}
			}
		}
	}
}

// A client that sends on its second line alone, whether it says so or not.
func TestPicturesOnTheSecondLine(t *testing.T) {
	for _, bobs := range []int{1, 2} {
		tr := twoLines(bobs, func(first, _ *Stream) { first.Source, first.SourceRTX, first.RecvOnly = 0, 0, true })
		if got := show(t, tr, secondLine, 100, time.Second); got != toBobVideo {
			t.Errorf("a line that receives alone before it: as %#x", got)
		}
		tr = twoLines(bobs, nil)
		now := time.Second
		show(t, tr, aliceVideo, 100, now)
		if got := show(t, tr, secondLine, 500, now+sourceSilence/2); got != 0 {
			t.Errorf("beside the first line it goes on as %#x", got)
		}
		tr.Wanted(0, now)
		now += sourceSilence
		if _, ask := tr.RTP(0, make1(t, 96, secondLine, 501, 1, delta), now); !ask {
			t.Error("no key frame is asked for")
		}
		if ssrcs, _ := tr.Wanted(0, now); ssrcs[Video] != secondLine {
			t.Errorf("asked for %#x", ssrcs)
		}
		if got := show(t, tr, secondLine, 502, now); got != toBobVideo {
			t.Errorf("when the first is silent: as %#x", got)
		}
		if got := show(t, tr, aliceVideo, 101, now+sourceSilence); got != toBobVideo {
			t.Errorf("the first again: as %#x", got)
		}
	}
}

// Both ends have two lines and a screen is on: each is shown by itself.
func TestTwoLinesForTwo(t *testing.T) {
	tr := twoLines(2, nil)
	if got := show(t, tr, secondLine, 1, time.Second); got != 0 {
		t.Errorf("before a screen is on: as %#x", got)
	}
	if got := show(t, tr, aliceVideo, 1, time.Second); got != toBobVideo {
		t.Errorf("the camera: as %#x", got)
	}
	tr.SetOn(0, Screen, true)
	if got := show(t, tr, secondLine, 2, 2*time.Second); got != toBobScreen {
		t.Errorf("the screen: as %#x", got)
	}
	if got := show(t, tr, aliceVideo, 2, 2*time.Second); got != toBobVideo {
		t.Errorf("the camera beside it: as %#x", got)
	}
}
