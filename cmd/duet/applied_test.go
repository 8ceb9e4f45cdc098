//go:build linux

package main

// A server that is killed: what its clients had said is neither done twice nor lost.

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestKilledServerDoesNothingTwice(t *testing.T) {
	state := t.TempDir()
	run := func() *server { return start(t, duet(t, []string{"DUET_STATE_DIR=" + state})) }
	s := run()
	ann := talk(t, s.page, `{"type":"join","username":"Ann","features":["resume","presence-none"]}`)
	bob := talk(t, s.page, `{"type":"join","username":"Bob","features":["resume","presence-none"]}`)
	for _, k := range []*talker{ann, bob} {
		k.hears("welcome")
	}
	ann.say(`{"type":"call","target":"Bob","seq":1}`)
	call := bob.hears("incomingCall")["callId"]
	annToken, bobToken := ann.hears("session"), bob.hears("session")
	if _, acked := annToken["ack"]; acked {
		t.Fatal("the call has been acknowledged, so that this test shows nothing")
	}

	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ann.say(`{"type":"mediaStateChange","video":false,"seq":2}`) // which it never reads
	if err := s.cmd.Process.Signal(os.Kill); err != nil {
		t.Fatal(err)
	}
	s.cmd.Wait()

	s = run()
	bob = talk(t, s.page, `{"type":"resume","session":"`+bobToken["session"].(string)+`","ack":1}`)
	ann = talk(t, s.page, `{"type":"resume","session":"`+annToken["session"].(string)+`"}`)
	for k, applied := range map[*talker]float64{ann: 1, bob: 0} {
		m := k.hears("welcome")
		in, _ := m["call"].(map[string]any)
		if m["restored"] != true || m["ack"] != 0.0 || m["applied"] != applied || in["callId"] != call || in["phase"] != "ringing" {
			t.Errorf("got %v, want %v applied and the call %v", m, applied, call)
		}
	}
	ann.say(`{"type":"mediaStateChange","video":false,"seq":1}`) // the call is done, this is not
	ann.say(`{"type":"ping"}`)
	ann.hears("pong")
	bob.say(`{"type":"callResponse","accepted":true,"seq":1}`)
	if m := bob.hears("mediaStateChange"); m["video"] != false || m["callId"] != call {
		t.Errorf("got %v", m)
	}
	if m := ann.hears("callAnswered"); m["accepted"] != true || m["callId"] != call {
		t.Errorf("got %v", m)
	}
	for name, k := range map[string]*talker{"Ann": ann, "Bob": bob} {
		if twice := k.told("error", "incomingCall", "callEnded"); twice != "" {
			t.Errorf("%s was told %s", name, twice)
		}
	}
}

// TestKilledAtAnyMoment: a client has said a call, its end, a call, and so on in one breath when the server is killed. With
// what it says again after the restart, everything was done: in the end the last call rings, at both, and no other.
func TestKilledAtAnyMoment(t *testing.T) {
	state := t.TempDir()
	run := func() *server { return start(t, duet(t, []string{"DUET_STATE_DIR=" + state})) }
	s := run()
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 10 {
		name := func(who string) string { return fmt.Sprint(who, " ", round) }
		ann := talk(t, s.page, `{"type":"join","username":"`+name("Ann")+`","features":["resume","presence-none"]}`)
		bob := talk(t, s.page, `{"type":"join","username":"`+name("Bob")+`","features":["resume","presence-none"]}`)
		for _, k := range []*talker{ann, bob} {
			k.hears("welcome")
		}
		said := []string{`"type":"call","target":"` + name("Bob") + `"`, `"type":"endCall"`}
		said = slices.Repeat(said, 3)[:5]       // within the pace of rings
		heard := make(chan []map[string]any, 1) // as it comes: what is unread is lost with a server that had not read everything
		go func() { heard <- ann.rest() }()
		kill := time.AfterFunc(time.Duration(random.IntN(1500))*time.Microsecond, func() { s.cmd.Process.Signal(os.Kill) })
		defer kill.Stop()
		for i, text := range said {
			ann.ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{%s,"seq":%d}`, text, i+1)) // it may be dead by now
			time.Sleep(time.Duration(random.IntN(300)) * time.Microsecond)
		}
		s.cmd.Wait()
		acked := 0.0
		for _, m := range <-heard {
			if n, is := m["ack"].(float64); is {
				acked = max(acked, n)
			}
		}
		bob.rest()

		s = run()
		bob = talk(t, s.page, `{"type":"resume","session":"`+bob.session+`"}`)
		bob.hears("welcome")
		ann = talk(t, s.page, `{"type":"resume","session":"`+ann.session+`"}`)
		done := int(max(acked, ann.hears("welcome")["applied"].(float64)))
		for i, text := range said[done:] {
			ann.say(fmt.Sprintf(`{%s,"seq":%d}`, text, i+1))
		}
		ann.say(`{"type":"ping"}`)
		ann.hears("pong")
		for line := range strings.Lines(ann.told("error")) {
			if !strings.Contains(line, `"no-such-call"`) { // the end of a call that Bob knew to be over
				t.Errorf("round %d, %d of %d done: what was said again was refused: %s", round, done, len(said), line)
			}
		}
		calls := map[string]string{}
		for who, k := range map[string]*talker{"Ann": ann, "Bob": bob} {
			again := talk(t, s.page, `{"type":"resume","session":"`+k.session+`"}`)
			in, _ := again.hears("welcome")["call"].(map[string]any)
			calls[who], _ = in["callId"].(string)
			if in["phase"] != "ringing" {
				t.Errorf("round %d, %d of %d done: %s is in %v", round, done, len(said), who, in)
			}
		}
		if calls["Ann"] != calls["Bob"] {
			t.Errorf("round %d: they are in different calls: %v", round, calls)
		}
	}
}
