//go:build linux

package calls

// What pictures a call has after a move.

import (
	"testing"
	"time"

	"duet/internal/natlab"
)

// TestMovesKeepPicturesLarge: a connection that knows nothing of its path begins with a quarter of the camera's width, for
// five seconds, and has the whole after twenty. One that a call moves to knows what the path before it took.
func TestMovesKeepPicturesLarge(t *testing.T) {
	if !all() {
		t.Skip("asks for a machine that encodes 1280 x 720 in time: DUET_TEST_ALL=1")
	}
	w := NewWorld(t, WorldOptions{})
	err := w.a.try(func() {
		a, b := w.Person("alice", w.Network(natlab.Home, 0)), w.Person("bob", w.Network(natlab.Home, 1))
		if r := w.Call(a, b, direct, CallOptions{Keep: true}); r.Fault != "" {
			w.a.Fatalf("before anything happened: %s", r.Fault)
		}
		defer w.part(a, b)
		if !grown(1280, time.Minute, a, b) {
			w.a.Fatalf("pictures stay small on a path that nobody disturbs: %+v, %+v", a.flow(), b.flow())
		}
		for _, move := range []struct{ to, script string }{{relay, "duet.call.useRelay(true)"}, {direct, "duet.call.useRelay(false)"}} {
			say(a, move.script)
			w.recover(a, b, move.to) // and 3 s more
			if !grown(640, time.Second, a, b) {
				w.a.Errorf("pictures are small after the move to %s: %+v, %+v", move.to, a.flow(), b.flow())
			}
			t.Logf("after the move to %s pictures are %v and %v wide", move.to, a.flow().Width, b.flow().Width)
		}
	})
	if err != nil {
		t.Error(err)
		w.Server.tell(t.Name())
	}
}
