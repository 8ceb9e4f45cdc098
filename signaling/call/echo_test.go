package call

// The echo user: each step, and what comes of it.

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func newEchoStage(mode string, names ...string) *stage {
	st := newStage(mode, names...)
	st.m.AddEcho("u_echo", "Echo")
	return st
}

// look is the echo user's timer.
func (st *stage) look(who string) string {
	c := st.who[who].Call
	st.now = st.now.Add(echoSteps[c.echo.step] - st.now.Sub(c.Started))
	var words []string
	for _, fx := range st.m.Step(st.now, EchoTimeout{c}) {
		if w := inWords(fx); w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, ", ")
}

const (
	echoMutes = "mute ann audio=true, mute ann video=true, mute ann screen=false, mute Echo audio=true, mute Echo video=true, mute Echo screen=false"
	heeds     = "begun, ann<callAnswered yes c1, open, ann<remark, listen"
)

func TestEcho(t *testing.T) {
	for _, tc := range []struct {
		name, mode string
		who        string
		script     []string // a step, and its effects
	}{
		{"a plain client", "fallback", "ann", []string{
			"ann call echo", heeds, "ann opened", echoMutes,
			"ann offer", "ann<remark, ask for ann", "ann candidate", "candidate of ann", "ann answered", "ann<answer of Echo",
			"look", "ann<remark, listen", "ann ready", "ann<remark", "look", "listen",
			"ann media -video", "mute ann video=false, ann<remark, ann<media a-- video", "ann media +video", "mute ann video=true, ann<media av- video",
			"look", "ann<remark, ann<callEnded hangup by Echo, close, (hangup)", "ann call echo", "begun, ann<callAnswered yes c2, open, ann<remark, listen",
			"ann end", "Echo<callEnded hangup by ann, close, (hangup)"}},
		{"what goes wrong is told, once", "fallback", "ann", []string{
			"ann call Echo", heeds, "ann candidate", "ann<remark, candidate of ann", "ann candidate Echo", "candidate of ann", "ann opened", echoMutes,
			"ann answer", "ann<remark", "ann relay", "ann<relay-unavailable", "ann offer relay", "ann<relay-unavailable", "ann tells", "", "ann unrelay", "",
			"look", "ann<remark, listen", "look", "listen"}},
		{"no room", "fallback", "ann", []string{"ann call echo", heeds, "ann full", "ann<remark, ann<callEnded hangup by Echo, (hangup)"}},
		{"the room is lost", "fallback", "ann", []string{"ann call echo", heeds, "ann opened", echoMutes, "ann broken", "ann<remark, ann<callEnded hangup by Echo, close, (hangup)"}},
		{"a plain client where every call is relayed", "always", "ann", []string{
			"ann call echo", heeds, "ann opened", echoMutes, "ann offer", "ann<remark, ask for ann", "ann answered", "ann<answer of Echo"}},
		{"a client that knows the relay, where every call is relayed", "always", "ann+call-state", []string{
			"ann call echo", "begun, ann<callAnswered yes c1, ann<callStarted caller with Echo av- av-, open, ann<remark, listen",
			"ann opened", echoMutes + ", ann<relayStart, Echo<relayStart", "ann offer", "ann!relay-only",
			"ann offer relay", "ann<remark, ask for ann", "ann answered", "ann<answer of relay", "ann ready", "ann<remark, ann<relayReady, Echo<relayReady"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			st := newEchoStage(tc.mode, tc.who)
			for i := 0; i < len(tc.script); i += 2 {
				got := ""
				if tc.script[i] == "look" {
					got = st.look("ann")
				} else {
					got = st.say(tc.script[i])
				}
				if got != tc.script[i+1] {
					t.Errorf("%s: %q, want %q", tc.script[i], got, tc.script[i+1])
				}
			}
			if st.m.echoing != len(st.m.calls) {
				t.Errorf("%d calls of the echo user are counted, there are %d", st.m.echoing, len(st.m.calls))
			}
		})
	}
}

// TestEchoIsNeverBusy until it has as many calls as it may have, and nobody can have its name or be called by it.
func TestEchoIsNeverBusy(t *testing.T) {
	var names []string
	for i := range echoCalls + 1 {
		names = append(names, fmt.Sprintf("ann%d", i))
	}
	st := newEchoStage("fallback", names...)
	for i, name := range names {
		got := st.say(name + " call echo")
		if want := i < echoCalls; strings.Contains(got, "callAnswered yes") != want {
			t.Errorf("call %d: %s", i+1, got)
		}
		if s := st.m.echo.Status(); s != "available" {
			t.Errorf("with %d calls it is %s", i+1, s)
		}
	}
	st.say("ann0 end")
	if got := st.say(names[echoCalls] + " call echo"); !strings.Contains(got, "callAnswered yes") {
		t.Errorf("when one has ended: %s", got)
	}
	if st.m.Named("echo") == nil {
		t.Error("its name is free")
	}
	if got := st.m.Step(st.now.Add(time.Hour), EchoTimeout{&Call{phase: ended}}); len(got) != 0 {
		t.Errorf("a call that has ended: %v", got)
	}
}
