package main

// A server that is killed: what its clients had said is neither done twice nor lost.

import (
	"os"
	"syscall"
	"testing"
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
