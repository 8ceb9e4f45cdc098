package signaling

// This file cuts the connection at every single step of the call flow.

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// cutStep is one message at one side.
type cutStep struct{ side, dir, typ string }

// cutSteps are all steps of the flow, and what coming back adds to them.
var cutSteps = []cutStep{
	{"caller", "send", "join"},
	{"caller", "take", "welcome"},
	{"caller", "take", "userList"},
	{"callee", "send", "join"},
	{"callee", "take", "welcome"},
	{"caller", "send", "call"},
	{"callee", "take", "incomingCall"},
	{"caller", "take", "ringing"},
	{"callee", "send", "callResponse"},
	{"caller", "take", "callAnswered"},
	{"caller", "take", "callStarted"},
	{"callee", "take", "callStarted"},
	{"caller", "send", "offer"},
	{"callee", "take", "offer"},
	{"callee", "send", "answer"},
	{"caller", "take", "answer"},
	{"caller", "send", "iceCandidate"},
	{"callee", "take", "iceCandidate"},
	{"callee", "send", "iceCandidate"},
	{"caller", "take", "iceCandidate"},
	{"caller", "send", "mediaConnected"},
	{"callee", "send", "mediaConnected"},
	{"callee", "send", "mediaStateChange"},
	{"caller", "take", "mediaStateChange"},
	{"caller", "send", "endCall"},
	{"callee", "take", "callEnded"},
	{"caller", "take", "session"},
	{"callee", "take", "session"},
	{"caller", "send", "resume"},
	{"callee", "send", "resume"},
}

// TestCutAtEveryStep cuts the connection before and after each step, once and
// when it comes again: the one that the message goes over, the other party's,
// or both.
func TestCutAtEveryStep(t *testing.T) {
	for _, at := range cutSteps {
		for _, before := range []bool{true, false} {
			for _, whose := range []string{"its own", "the other's", "both"} {
				for _, cuts := range []int{1, 2} {
					when := map[bool]string{true: "before", false: "after"}[before]
					t.Run(fmt.Sprintf("%s %s %s %s, %s, %d times", at.side, when, at.dir, at.typ, whose, cuts), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { cutFlow(t, at, before, whose, cuts) })
					})
				}
			}
		}
	}
}

func cutFlow(t *testing.T, at cutStep, before bool, whose string, cuts int) {
	w := newWorld(t)
	a, b := newSteady(w, "Ann", "call-state"), newSteady(w, "Bob", "call-state", "presence-none")
	self, other := a, b
	if at.side == "callee" {
		self, other = b, a
	}
	left, lost := cuts, at.typ != "resume"
	self.hook = func(dir, typ string, isBefore bool) bool {
		if !lost && typ == "session" { // there is no resume before something is lost
			lost = true
			return true
		}
		if dir != at.dir || typ != at.typ || isBefore != before || left == 0 {
			return false
		}
		left--
		if whose != "its own" {
			other.cut()
		}
		return whose != "the other's"
	}
	callFlow(t, a, b)
	if left == cuts {
		t.Error("the cut never came")
	}
}

// TestCutStepsAreAll: the table leaves nothing out of what the two say and hear.
func TestCutStepsAreAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := newSteady(w, "Ann", "call-state"), newSteady(w, "Bob", "call-state", "presence-none")
		for side, s := range map[string]*steady{"caller": a, "callee": b} {
			s.hook = func(dir, typ string, _ bool) bool {
				if !slices.Contains(cutSteps, cutStep{side, dir, typ}) {
					t.Errorf("%s %s %s is not in the table", side, dir, typ)
				}
				return false
			}
		}
		callFlow(t, a, b)
	})
}

// callFlow plays a whole call and checks that each side saw each message once.
func callFlow(t *testing.T, a, b *steady) {
	a.start()
	b.start()
	defer a.stop()
	defer b.stop()
	a.await("welcome", 1)
	b.await("welcome", 1)
	time.Sleep(time.Second) // both are there, whatever was cut
	a.say(msg{"type": "call", "target": "Bob"})
	call := b.await("incomingCall", 1).str("callId")
	b.say(msg{"type": "callResponse", "accepted": true})
	if m := a.await("callAnswered", 1); !m.flag("accepted") || m.str("callId") != call {
		t.Fatalf("got %v", m)
	}
	a.await("callStarted", 1)
	b.await("callStarted", 1)
	a.say(msg{"type": "offer", "offer": msg{"type": "offer", "sdp": testOffer}})
	b.await("offer", 1)
	b.say(msg{"type": "answer", "answer": msg{"type": "answer", "sdp": testOffer}})
	a.await("answer", 1)
	for i := range 3 {
		a.say(msg{"type": "iceCandidate", "candidate": msg{"candidate": fmt.Sprint("a", i)}})
		b.say(msg{"type": "iceCandidate", "candidate": msg{"candidate": fmt.Sprint("b", i)}})
	}
	a.await("iceCandidate", 3)
	b.await("iceCandidate", 3)
	a.say(msg{"type": "mediaConnected", "path": "direct", "callId": call})
	b.say(msg{"type": "mediaConnected", "path": "direct", "callId": call})
	b.say(msg{"type": "mediaStateChange", "video": false})
	a.await("mediaStateChange", 1)
	a.say(msg{"type": "endCall", "callId": call})
	if m := b.await("callEnded", 1); m.str("reason") != "hangup" {
		t.Errorf("got %v", m)
	}
	time.Sleep(time.Minute)
	want := map[*steady]map[string]int{
		a: {"ringing": 1, "callAnswered": 1, "callStarted": 1, "answer": 1, "iceCandidate": 3, "mediaStateChange": 1},
		b: {"incomingCall": 1, "callStarted": 1, "offer": 1, "iceCandidate": 3, "callEnded": 1},
	}
	for s, want := range want {
		if got := s.types(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s heard %v, want %v", s.name, got, want)
		}
		if len(s.faults) > 0 {
			t.Error(s.faults)
		}
	}
}
