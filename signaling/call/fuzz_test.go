package call

// This file plays random scripts against the rules and checks what must always hold.

import (
	"fmt"
	"testing"
	"time"

	"duet/internal/spin"

	"duet/signaling/protocol"
)

// script turns bytes into events among four people, two of which know more.
type script struct {
	t *testing.T
	*stage
	names   []string
	ended   map[string]bool           // calls that are over
	begun   map[string]*Call          // calls that were accepted
	heard   map[string]map[string]int // callEnded for each call and party
	enders  map[string]string         // who ended it
	present map[string]bool
}

func playScript(t *testing.T, data []byte) {
	modes := []string{"off", "fallback", "always"}
	mode := modes[0]
	if len(data) > 0 {
		mode = modes[int(data[0])%3]
	}
	s := &script{t: t, stage: newStage(mode, "ann", "bob", "cat+resume+call-state+verdict", "dan+resume+call-state+verdict"),
		names: []string{"ann", "bob", "cat", "dan"}, ended: map[string]bool{}, begun: map[string]*Call{},
		heard: map[string]map[string]int{}, enders: map[string]string{}, present: map[string]bool{"ann": true, "bob": true, "cat": true, "dan": true}}
	stay := 0
	if mode != "off" {
		s.m.AddEcho("u_echo", "Echo")
		stay = 1
	}
	for i := 1; i+1 < len(data); i += 2 {
		s.event(data[i], data[i+1])
	}
	for _, n := range s.names {
		if s.present[n] {
			s.run(n, Gone{s.who[n]})
		}
	}
	if len(s.m.calls) != 0 || len(s.m.users) != stay || len(s.m.names) != stay || len(s.m.looks) != stay || s.m.echoing != 0 || len(s.open) != 0 {
		t.Fatalf("everybody left, but %d Calls, %d parties, %d names, %d rooms stay", len(s.m.calls), len(s.m.users), len(s.m.names), len(s.open))
	}
	for id, c := range s.begun {
		for _, p := range c.Party {
			want := 1
			if s.enders[id] == p.Name {
				want = 0
			}
			if got := s.heard[id][p.Name]; got != want {
				t.Fatalf("call %s: %s heard %d times that it ended (ended by %q)", id, p.Name, got, s.enders[id])
			}
		}
	}
}

func (s *script) event(what, detail byte) {
	name := s.names[what&3]
	p := s.who[name]
	if !s.present[name] {
		// A new user of the same name, as after a new join.
		fresh := &User{ID: p.ID + "'", Name: name, Key: name, Features: p.Features}
		s.who[name], s.present[name] = fresh, true
		s.m.Add(fresh)
		return
	}
	a := protocol.CallRef{}
	switch detail & 3 {
	case 1:
		a.Target = s.names[detail>>2&3]
	case 2:
		a.CallID = fmt.Sprintf("c%d", 1+int(detail>>2)%max(1, s.calls))
	}
	c := p.Call
	var e Event
	switch what >> 2 % 20 {
	case 0, 1, 2:
		target := s.names[detail&3]
		if detail >= 240 {
			target = "echo"
		}
		e = Received{p, protocol.CallRequest{Target: target, HasTarget: detail < 250}}
	case 3, 4:
		e = Received{p, protocol.CallResponseRequest{CallRef: a, Accepted: detail&64 == 0}}
	case 5:
		e = Received{p, protocol.OfferRequest{CallRef: a, Offer: []byte("{}"), SDP: "", At: protocol.Addresses{IPs: []string{"192.0.2.1"}}}}
	case 6:
		e = Received{p, protocol.AnswerRequest{CallRef: a, Answer: []byte("{}"), At: protocol.Addresses{}}}
	case 7:
		e = Received{p, protocol.ICECandidateRequest{CallRef: a, Candidate: []byte("{}"), At: protocol.Addresses{}}}
	case 8:
		e = Received{p, protocol.MediaStateChangeRequest{CallRef: a, MediaChange: protocol.MediaChange{Named: [3]bool{true, detail&8 != 0, false}, To: protocol.Media{Audio: detail&16 != 0}}}}
	case 9:
		e = Received{p, protocol.EndCallRequest{CallRef: a}}
	case 10:
		e = Received{p, protocol.MediaConnectedRequest{CallRef: a, Path: "turn"}}
	case 11:
		e = Received{p, protocol.RelayRequest{CallRef: a, Reason: "user"}}
	case 12:
		if detail&1 == 0 {
			e = Received{p, protocol.OfferRequest{CallRef: protocol.CallRef{Target: "relay"}, Offer: []byte("{}"), SDP: "", At: protocol.Addresses{}}}
		} else {
			e = Received{p, protocol.RelayStopRequest{CallRef: a}}
		}
	case 13:
		e = Gone{p}
		s.present[name] = false
	case 14:
		if c == nil {
			return
		}
		e = RingTimeout{c}
	case 15:
		if c == nil {
			return
		}
		if gen := c.RelayGen - int(detail>>7); detail&1 == 0 {
			e = RelayReady{c, gen}
		} else {
			e = RelayLost{c, gen, "lost"}
		}
	case 16:
		s.now = s.now.Add(time.Duration(detail) * 50 * time.Millisecond)
		return
	case 17:
		if detail < 200 {
			return
		}
		e = Shutdown{}
	case 18:
		e = Received{p, protocol.DiagnosisRequest{CallRef: a, Candidates: protocol.Set(detail >> 2 & 15)}}
	case 19:
		if c == nil {
			return
		}
		e = DiagnosisTimeout{c}
		if c.echo != nil {
			e = EchoTimeout{c}
		}
	}
	s.run(name, e)
}

// run steps and checks the effects; it answers for the relay at once.
func (s *script) run(by string, e Event) {
	t := s.t
	inCall := map[string]*Call{}
	for id, c := range s.m.calls {
		inCall[id] = c
	}
	var opened, asked []*Call
	for _, fx := range append([]Effect(nil), s.m.Step(s.now, e)...) {
		switch fx := fx.(type) {
		case Deliver:
			from, call := "", ""
			switch m := fx.Msg.(type) {
			case protocol.IncomingCallMessage:
				from, call = m.CallerID, m.CallID
			case protocol.OfferMessage:
				from, call = m.CallerID, m.CallID
			case protocol.AnswerMessage:
				from, call = m.SenderID, m.CallID
			case protocol.ICECandidateMessage:
				from, call = m.SenderID, m.CallID
			case protocol.MediaStateChangeMessage:
				from, call = m.SenderID, m.CallID
			case protocol.CallEndedMessage:
				from = m.CallerID
				if s.heard[m.CallID] == nil {
					s.heard[m.CallID] = map[string]int{}
				}
				s.heard[m.CallID][fx.To.Name]++
			case protocol.CallAnsweredMessage:
				from = m.CalleeID
			case protocol.VerdictMessage:
				call = m.CallID
				if s.heard["verdict "+call] == nil {
					s.heard["verdict "+call] = map[string]int{}
				}
				if s.heard["verdict "+call][fx.To.Name]++; s.heard["verdict "+call][fx.To.Name] > 2 {
					t.Fatalf("%s hears more verdicts than there are diagnoses", fx.To.Name)
				}
			}
			if mode := s.m.relayMode; mode == "always" {
				switch fx.Msg.(type) {
				case protocol.OfferMessage, protocol.ICECandidateMessage, protocol.RelayStopMessage:
					t.Fatalf("%s learns where the other is: %#v", fx.To.Name, fx.Msg)
				case protocol.AnswerMessage:
					if from != protocol.RelayName && from != "u_echo" {
						t.Fatalf("%s learns where the other is: %#v", fx.To.Name, fx.Msg)
					}
				}
			}
			if from == fx.To.ID {
				t.Fatalf("%s hears itself: %#v", fx.To.Name, fx.Msg)
			}
			if call != "" && s.ended[call] {
				t.Fatalf("a message of the ended call %s: %#v", call, fx.Msg)
			}
		case Begun:
			s.begun[fx.Call.ID] = fx.Call
		case OpenRelay:
			if s.open[fx.Call] {
				t.Fatal("a second room for one call")
			}
			s.open[fx.Call] = true
			opened = append(opened, fx.Call)
		case CloseRelay:
			delete(s.open, fx.Call)
		case GatherEvidence:
			asked = append(asked, fx.Call)
		case Finished:
			if fx.Call == nil {
				break
			}
			if s.ended[fx.Call.ID] {
				t.Fatalf("call %s ends twice", fx.Call.ID)
			}
			s.ended[fx.Call.ID] = true
			if fx.Outcome == "hangup" || fx.Outcome == "disconnected" {
				s.enders[fx.Call.ID] = by
				if caller := fx.Call.Party[0].Name; fx.Call.echo != nil && s.heard[fx.Call.ID][caller] > 0 {
					s.enders[fx.Call.ID] = "Echo"
				}
			}
			if s.open[fx.Call] {
				t.Fatal("an ended call holds a relay")
			}
		}
	}
	seen := map[*User]bool{}
	for id, c := range s.m.calls {
		if s.ended[id] {
			t.Fatalf("call %s lives again", id)
		}
		for side, p := range c.Party {
			if seen[p] || p.Call != c || p.Side != side || c.Party[0] == c.Party[1] {
				t.Fatalf("%s is not in exactly one call", p.Name)
			}
			seen[p] = true
		}
	}
	for _, p := range s.m.users {
		if (p.Call != nil) != seen[p] {
			t.Fatalf("%s is in a call that is not there", p.Name)
		}
	}
	for id := range inCall {
		if s.m.calls[id] == nil && !s.ended[id] {
			t.Fatalf("call %s vanished", id)
		}
	}
	for _, c := range opened {
		why := ""
		if len(c.ID)%3 == 0 {
			why = "no room"
			delete(s.open, c)
		}
		s.run(by, RelayOpened{c, c.RelayGen, why})
	}
	for _, c := range asked {
		s.run(by, EvidenceGathered{c, Evidence{}})
	}
}

func FuzzMachine(f *testing.F) {
	// ann calls bob, bob accepts, they negotiate, ann asks for the relay and hangs up.
	f.Add([]byte{1, 0, 1, 13, 0, 20, 0, 25, 0, 28, 0, 44, 0, 60, 0, 36, 0})
	// cat and dan call each other, dan leaves.
	f.Add([]byte{2, 2, 3, 3, 2, 50, 1, 62, 0, 55, 0})
	f.Add([]byte{1, 0, 1, 1, 0, 46, 0, 48, 0, 60, 129, 49, 1, 66, 255, 36, 2, 2, 3, 15, 0, 68, 220})
	f.Fuzz(func(t *testing.T, data []byte) {
		spin.Watch(t)
		playScript(t, data)
	})
}
