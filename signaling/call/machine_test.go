package call

// This file tests the rules of calls as a table of events and effects, and
// fuzzes them for what must always hold.

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"duet/signaling/protocol"
)

// stage is a machine with some people.
type stage struct {
	m     *Machine
	who   map[string]*User
	now   time.Time
	calls int
	open  map[*Call]bool  // relay rooms
	slow  map[string]bool // who takes nothing from others
}

func (st *stage) MayRing(u *User) bool    { return !st.slow[u.Name] }
func (st *stage) MayDeliver(u *User) bool { return !st.slow[u.Name] }

func newStage(mode string, names ...string) *stage {
	st := &stage{who: map[string]*User{}, now: time.Unix(1000, 0), open: map[*Call]bool{}}
	st.m = New(mode, func() string { st.calls++; return fmt.Sprintf("c%d", st.calls) }, st)
	for _, n := range names {
		name, feats, _ := strings.Cut(n, "+")
		p := &User{ID: "u_" + name, Name: name, Key: name}
		if feats != "" {
			p.Features = protocol.Grant(strings.Split(feats, "+"))
		}
		st.who[name] = p
		st.m.Add(p)
	}
	return st
}

// say runs a step written as "ann call bob", and returns its effects as words.
func (st *stage) say(step string) string {
	f := strings.Fields(step)
	if d, err := time.ParseDuration(f[0]); err == nil {
		st.now = st.now.Add(d)
		return ""
	}
	p := st.who[f[0]]
	arg := func(i int) string {
		if i < len(f) && !strings.HasPrefix(f[i], "#") {
			return f[i]
		}
		return ""
	}
	a := protocol.CallRef{}
	if last := f[len(f)-1]; strings.HasPrefix(last, "#") {
		a.CallID = last[1:]
	}
	var e Event
	switch f[1] {
	case "call":
		e = Received{p, protocol.CallRequest{Target: arg(2), HasTarget: arg(2) != ""}}
	case "accept", "refuse", "cannot":
		a.Target = arg(2)
		e = Received{p, protocol.CallResponseRequest{CallRef: a, Accepted: f[1] == "accept", Unable: f[1] == "cannot"}}
	case "offer":
		a.Target = arg(2)
		e = Received{p, protocol.OfferRequest{CallRef: a, Offer: []byte(`{}`), SDP: "sdp", At: protocol.Addresses{IPs: []string{"192.0.2.1"}}}}
	case "answer":
		a.Target = arg(2)
		e = Received{p, protocol.AnswerRequest{CallRef: a, Answer: []byte(`{}`), At: protocol.Addresses{}}}
	case "candidate":
		a.Target = arg(2)
		e = Received{p, protocol.ICECandidateRequest{CallRef: a, Candidate: []byte(`{}`), At: protocol.Addresses{IPs: []string{"192.0.2.2"}, Any: true}}}
	case "media":
		c := protocol.MediaChange{}
		for _, w := range f[2:] {
			i := slices.Index(protocol.Kinds[:], strings.TrimLeft(w, "+-"))
			if i < 0 {
				panic(step)
			}
			c.Named[i], *c.To.Kind(i) = true, w[0] == '+'
		}
		e = Received{p, protocol.MediaStateChangeRequest{CallRef: a, MediaChange: c}}
	case "end":
		a.Target = arg(2)
		e = Received{p, protocol.EndCallRequest{CallRef: a}}
	case "connected":
		e = Received{p, protocol.MediaConnectedRequest{CallRef: a, Path: "direct"}}
	case "stats":
		e = Received{p, protocol.CallStatsRequest{CallRef: a, Path: "direct"}}
	case "tells":
		e = Received{p, protocol.DiagnosisRequest{CallRef: a, Candidates: 1}}
	case "due":
		e = DiagnosisTimeout{p.Call}
	case "facts": // of a world in which nobody named is here
		var known Evidence
		for side, party := range p.Call.Party {
			known.End[side].Gone = slices.Contains(f[2:], party.Name)
		}
		e = EvidenceGathered{p.Call, known}
	case "relay":
		e = Received{p, protocol.RelayRequest{CallRef: a, Reason: "ice-failed"}}
	case "unrelay":
		e = Received{p, protocol.RelayStopRequest{CallRef: a}}
	case "leaves":
		e = Gone{p}
	case "ready":
		e = RelayReady{p.Call, p.Call.RelayGen}
	case "broken":
		e = RelayLost{p.Call, p.Call.RelayGen, "lost"}
	case "stale":
		e = RelayLost{p.Call, p.Call.RelayGen - 1, "lost"}
	case "opened", "full":
		e = RelayOpened{p.Call, p.Call.RelayGen, map[string]string{"full": "no room"}[f[1]]}
	case "answered":
		e = RelayAnswered{p.Call, p.Call.RelayGen, p, []byte(`{}`), ""}
	case "unanswered":
		e = RelayAnswered{p.Call, p.Call.RelayGen, p, nil, ""}
	case "unfit":
		e = RelayAnswered{p.Call, p.Call.RelayGen, p, nil, "no fingerprint"}
	case "unmet":
		e = RelayUnmet{p.Call, p.Call.RelayGen}
	case "rang":
		e = Ringing{f[2]}
	case "rings":
		e = Received{p, protocol.RingingRequest{CallRef: a}}
	case "timeout":
		e = RingTimeout{p.Call}
	case "shutdown":
		e = Shutdown{}
	case "slows":
		st.slow = map[string]bool{p.Name: true}
		return ""
	default:
		panic(step)
	}
	var words []string
	for _, fx := range st.m.Step(st.now, e) {
		if w := inWords(fx); w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, ", ")
}

func inWords(fx Effect) string {
	switch fx := fx.(type) {
	case Deliver:
		words := fx.To.Name + "<"
		switch m := fx.Msg.(type) {
		case protocol.IncomingCallMessage:
			return words + "incomingCall " + m.CallID + " from " + m.Caller
		case protocol.CallAnsweredMessage:
			if m.Accepted {
				return words + "callAnswered yes " + m.CallID
			}
			return words + strings.TrimSpace("callAnswered "+m.Reason+" "+m.CallID)
		case protocol.CallStartedMessage:
			return words + "callStarted " + m.Role + " with " + m.Peer + inStates(m.Self) + inStates(m.Other)
		case protocol.CallEndedMessage:
			return words + "callEnded " + m.Reason + " by " + m.Caller
		case protocol.MediaStateChangeMessage:
			words += "media" + inStates(m.Media)
			if m.Kind >= 0 {
				words += " " + protocol.Kinds[m.Kind]
			}
			return words
		case protocol.OfferMessage:
			return words + "offer"
		case protocol.AnswerMessage:
			return words + "answer of " + m.Sender
		case protocol.ICECandidateMessage:
			return words + "candidate"
		case protocol.RelayFailedMessage:
			if m.Message == "no fingerprint" {
				return words + m.Code + " (" + m.Message + ")"
			}
			return words + m.Code
		case protocol.VerdictMessage:
			return words + m.Code + " " + m.Where
		default:
			name := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", m), "protocol."), "Message")
			return words + strings.ToLower(name[:1]) + name[1:]
		}
	case Refuse:
		if strings.HasSuffix(fx.Why.Message, "no fingerprint") {
			return fx.To.Name + "!" + fx.Why.Code + " (no fingerprint)"
		}
		return fx.To.Name + "!" + fx.Why.Code
	case StartRingTimer:
		return "ring"
	case StartRelayTimer:
		return "wait"
	case Begun:
		return "begun"
	case Finished:
		return "(" + fx.Outcome + ")"
	case NoteCandidate:
		return fx.By.Name + "@" + fx.Address
	case OpenRelay:
		return "open"
	case CloseRelay:
		return "close"
	case Mute:
		return fmt.Sprintf("mute %s %s=%v", fx.By.Name, fx.Kind, fx.On)
	case Negotiate:
		return "ask for " + fx.By.Name
	case RelayCandidate:
		return "candidate of " + fx.By.Name
	case MediaConnected, MediaStats:
		return "reported"
	case StartEchoTimer:
		return "listen"
	case StartDiagnosisTimer:
		return "await"
	case GatherEvidence:
		return "gather"
	case Diagnosed:
		return "judged"
	}
	return "" // changed, stopTimer: every end has them
}

func inStates(m protocol.Media) string {
	words := " "
	for i := range protocol.Kinds {
		if *m.Kind(i) {
			words += protocol.Kinds[i][:1]
		} else {
			words += "-"
		}
	}
	return words
}

const (
	rings   = "bob<incomingCall c1 from ann, ring"
	accepts = "begun, ann<callAnswered yes c1"
	mutes   = "mute ann audio=true, mute ann video=true, mute ann screen=false, mute bob audio=true, mute bob video=true, mute bob screen=false"
)

func TestRules(t *testing.T) {
	type steps []string // alternating: a step, its effects
	for _, c := range []struct {
		what string
		do   steps
	}{
		{"call, accept, hang up", steps{"ann call bob", rings, "bob accept", accepts, "ann end", "bob<callEnded hangup by ann, (hangup)"}},
		{"the callee hangs up", steps{"ann call bob", rings, "bob accept", accepts, "bob end ann", "ann<callEnded hangup by bob, (hangup)"}},
		{"by id", steps{"ann call u_bob", rings}},
		{"by name in another case", steps{"ann call BoB", rings}},
		{"decline", steps{"ann call bob", rings, "bob refuse", "ann<callAnswered declined c1, (declined)", "bob refuse", ""}},
		{"a client that cannot take calls", steps{"ann call bob", rings, "bob cannot", "ann<callAnswered unavailable c1, (unavailable)"}},
		{"decline by endCall", steps{"ann call bob", rings, "bob end", "ann<callAnswered declined c1, (declined)"}},
		{"cancel", steps{"ann call bob", rings, "ann end", "bob<callEnded cancelled by ann, (cancelled)", "bob accept", ""}},
		{"ring timeout", steps{"ann call bob", rings, "ann timeout", "ann<callAnswered timeout c1, bob<callEnded timeout by ann, (timeout)"}},
		{"to oneself", steps{"ann call ann", "ann!self-call"}},
		{"to nobody", steps{"ann call zoe", "ann!unknown-target", "ann call", "ann!bad-message"}},
		{"to the relay", steps{"ann call relay", "ann!unknown-target"}},
		{"in a call", steps{"ann call bob", rings, "ann call cat", "ann!already-in-call", "ann call bob", "ann!already-in-call", "bob call cat", "bob!already-in-call",
			"bob accept", accepts, "ann call bob", "ann!already-in-call", "bob call ann", "bob!already-in-call", "ann call", "ann!already-in-call", "ann call ann", "ann!self-call"}},
		{"busy", steps{"ann call bob", rings, "cat call ann", "cat<callAnswered busy, (busy)", "cat call bob", "cat<callAnswered busy, (busy)"}},
		{"glare", steps{"ann call bob", rings, "bob call ann", accepts, "bob accept", "", "bob refuse", "", "ann offer", "ann@192.0.2.1, bob<offer"}},
		{"a second answer", steps{"ann call bob", rings, "bob accept", accepts, "bob accept", "", "bob refuse", ""}},
		{"the caller cannot answer", steps{"ann call bob", rings, "ann accept", "ann!not-your-call", "bob accept", accepts, "ann accept", "ann!not-your-call"}},
		{"answering with a wrong target", steps{"ann call bob", rings, "bob accept cat", "bob!not-your-call", "bob accept ann", accepts}},
		{"nothing before acceptance", steps{"ann call bob", rings, "ann offer", "ann!not-accepted", "bob answer", "bob!not-accepted", "ann candidate bob", "ann!not-accepted",
			"bob offer ann", "bob!not-accepted", "ann relay", "ann!not-accepted", "ann offer relay", "ann!not-accepted", "ann connected", "ann!not-accepted"}},
		{"idle", steps{"ann offer bob", "ann!no-such-call", "ann end", "ann!no-such-call", "ann accept", "ann!no-such-call", "ann media -audio", "ann!no-such-call",
			"ann end zoe", "ann!no-such-call", "ann end #c9", "ann!no-such-call", "ann candidate relay", "ann!no-such-call"}},
		{"negotiation", steps{"ann call bob", rings, "bob accept", accepts, "ann offer", "ann@192.0.2.1, bob<offer", "bob answer", "ann<answer of bob",
			"bob candidate u_ann", "bob@192.0.2.2, ann<candidate", "bob offer ANN", "bob@192.0.2.1, ann<offer", "ann answer bob #c1", "bob<answer of ann"}},
		{"a third party", steps{"ann call bob", rings, "bob accept", accepts, "cat offer ann", "cat!no-such-call", "cat offer ann #c1", "cat!no-such-call", "ann offer cat", "ann!not-your-call",
			"ann offer zoe", "ann!not-your-call", "ann offer ann", "ann!not-your-call", "ann end cat", "ann!not-your-call", "ann end #c9", "ann!not-your-call", "ann media -audio", "bob<media -v- audio"}},
		{"late messages", steps{"ann call bob", rings, "bob accept", accepts, "ann end", "bob<callEnded hangup by ann, (hangup)",
			"bob candidate", "", "bob candidate ann", "", "bob candidate ANN", "", "bob offer #c1", "", "bob end", "", "ann end", "", "bob candidate relay", "",
			"bob candidate cat", "bob!no-such-call", "bob candidate #c9", "bob!no-such-call", "cat end", "cat!no-such-call",
			"5s", "", "bob candidate ann", "bob!no-such-call", "bob candidate #c1", "bob!no-such-call"}},
		{"late messages in a new call", steps{"ann call bob", rings, "bob accept", accepts, "ann end", "bob<callEnded hangup by ann, (hangup)",
			"cat call bob", "bob<incomingCall c2 from cat, ring", "bob accept", "begun, cat<callAnswered yes c2",
			"bob candidate ann", "", "bob end #c1", "", "bob candidate zoe", "bob!not-your-call", "bob candidate", "bob@192.0.2.2, cat<candidate",
			"5s", "", "bob candidate ann", "bob!not-your-call", "bob end #c1", "bob!not-your-call"}},
		{"states before acceptance", steps{"ann call bob", rings, "ann media -video", "", "bob media -audio +screen", "",
			"bob accept", "begun, ann<callAnswered yes c1, ann<media -vs, bob<media a-- video"}},
		{"newest state before acceptance", steps{"ann call bob", rings, "ann media -video", "", "ann media -audio", "", "ann media +video", "",
			"bob accept", accepts + ", bob<media -v- audio, bob<media -v- video"}},
		{"a callee who leaves", steps{"ann call bob", rings, "bob leaves", "ann<callAnswered unavailable c1, (unavailable)", "ann call bob", "ann!unknown-target"}},
		{"a caller who leaves", steps{"ann call bob", rings, "ann leaves", "bob<callEnded disconnected by ann, (disconnected)"}},
		{"a party who leaves", steps{"ann call bob", rings, "bob accept", accepts, "bob leaves", "ann<callEnded disconnected by bob, (disconnected)"}},
		{"media is information", steps{"ann call bob", rings, "bob accept", accepts, "ann connected", "reported", "bob connected", "reported", "ann offer", "ann@192.0.2.1, bob<offer"}},
		{"stats, one in five seconds", steps{"ann call bob", rings, "bob accept", accepts, "ann stats", "reported", "ann stats", "", "bob stats", "reported", "4999ms", "", "ann stats", "", "1ms", "", "ann stats", "reported"}},
		{"clients that know more", steps{"dan call eve", "eve<incomingCall c1 from dan, ring", "dan rang c1", "dan<ringing", "dan rang c1", "", "dan media -audio", "",
			"eve accept", "begun, dan<callAnswered yes c1, dan<callStarted caller with eve -v- av-, eve<callStarted callee with dan av- -v-", "dan rang c1", ""}},
		{"plain clients do not hear that it rings", steps{"ann call bob", rings, "ann rang c1", ""}},
		{"relay", steps{"ann call bob", rings, "bob accept", accepts, "bob media -video", "ann<media a-- video", "ann relay", "wait", "ann relay", "", "bob relay", "open", "bob relay", "",
			"ann opened", strings.Replace(mutes, "bob video=true", "bob video=false", 1) + ", ann<relayStart, bob<relayStart", "bob relay", "",
			"ann offer relay", "ask for ann", "ann candidate RELAY", "candidate of ann", "ann answered", "ann<answer of relay", "ann answer relay", "ann!not-your-call",
			"ann ready", "ann<relayReady, bob<relayReady", "ann ready", "", "bob media +video", "mute bob video=true, ann<media av- video",
			"ann offer", "ann@192.0.2.1, bob<offer", "ann end", "bob<callEnded hangup by ann, close, (hangup)"}},
		{"relay full", steps{"ann call bob", rings, "bob accept", accepts, "ann relay", "wait", "bob relay", "open", "ann full", "ann<relay-unavailable, bob<relay-unavailable",
			"ann candidate relay", "ann<relay-unavailable", "ann relay", "open"}},
		{"one party takes no part in relaying", steps{"ann call bob", rings, "bob accept", accepts, "ann relay", "wait", "ann offer relay", "ann<relay-unavailable", "ann unmet", "ann<relay-unavailable",
			"ann unmet", "", "ann relay", "wait", "ann unrelay", "", "ann unmet", "", "ann relay", "wait", "ann end", "bob<callEnded hangup by ann, (hangup)"}},
		{"it does after all", steps{"ann call bob", rings, "bob accept", accepts, "ann relay", "wait", "ann unmet", "ann<relay-unavailable", "bob relay", "open", "ann unmet", "",
			"bob full", "bob<relay-unavailable"}},
		{"a feature says so", steps{"ann call dan", "dan<incomingCall c1 from ann, ring", "dan accept", "begun, ann<callAnswered yes c1, dan<callStarted callee with ann av- av-", "ann relay", "open",
			"ann full", "ann<relay-unavailable"}},
		{"relay stopped", steps{"ann call bob", rings, "bob accept", accepts, "ann unrelay", "", "ann relay", "wait", "bob relay", "open", "ann opened", mutes + ", ann<relayStart, bob<relayStart",
			"bob unrelay", "close, ann<relayStop", "ann ready", "", "ann answered", "", "ann offer relay", "", "ann candidate relay", "",
			"6s", "", "ann offer relay", "ann<relay-unavailable", "ann relay", "open", "ann opened", mutes + ", ann<relayStart, bob<relayStart", "ann stale", ""}},
		{"relay broken", steps{"ann call bob", rings, "bob accept", accepts, "ann relay", "wait", "bob relay", "open", "ann opened", mutes + ", ann<relayStart, bob<relayStart",
			"ann unanswered", "close, ann<relay-failed, bob<relay-failed", "ann candidate relay", "", "ann relay", "open", "ann opened", mutes + ", ann<relayStart, bob<relayStart", "ann broken", "close, ann<relay-failed, bob<relay-failed"}},
		{"a bad later offer", steps{"ann call bob", rings, "bob accept", accepts, "ann relay", "wait", "bob relay", "open", "ann opened", mutes + ", ann<relayStart, bob<relayStart",
			"ann answered", "ann<answer of relay", "ann unanswered", "ann!bad-message", "ann ready", "ann<relayReady, bob<relayReady", "bob unanswered", "close, ann<relay-failed, bob<relay-failed",
			"ann relay", "open", "ann opened", mutes + ", ann<relayStart, bob<relayStart", "ann unanswered", "close, ann<relay-failed, bob<relay-failed"}},
		{"an offer that nobody could answer", steps{"ann call bob", rings, "bob accept", accepts, "ann relay", "wait", "bob relay", "open", "ann opened", mutes + ", ann<relayStart, bob<relayStart",
			"ann answered", "ann<answer of relay", "ann unfit", "ann!bad-message (no fingerprint)", "bob unfit", "close, ann<relay-failed, bob<relay-failed (no fingerprint)"}},
		{"to somebody who does not keep up", steps{"bob slows", "", "ann call bob", "ann<callAnswered busy, (busy)"}},
		{"the sender pays", steps{"ann call bob", rings, "bob accept", accepts, "bob slows", "", "ann offer", "ann!rate-limited", "ann answer", "ann!rate-limited",
			"ann candidate", "ann!rate-limited", "ann media -video", "ann!rate-limited", "ann relay", "ann!rate-limited", "ann unrelay", "ann!rate-limited",
			"ann connected", "reported", "bob media -video", "ann<media a-- video", "ann end", "bob<callEnded hangup by ann, (hangup)"}},
		{"written is not ringing where the client says it itself", steps{"dan call fay", "fay<incomingCall c1 from dan, ring", "dan rang c1", "", "fay rings", "dan<ringing", "fay rings", "", "dan rings", "dan!not-your-call",
			"fay accept", "begun, dan<callAnswered yes c1, dan<callStarted caller with fay av- av-", "fay rings", ""}},
		{"written is ringing with other clients", steps{"dan call bob", "bob<incomingCall c1 from dan, ring", "dan rang c1", "dan<ringing", "bob accept", "begun, dan<callAnswered yes c1, dan<callStarted caller with bob av- av-"}},
		{"shutdown", steps{"ann call bob", rings, "dan call eve", "eve<incomingCall c2 from dan, ring", "eve accept", "dan<ringing, begun, dan<callAnswered yes c2, dan<callStarted caller with eve av- av-, eve<callStarted callee with dan av- av-",
			"ann shutdown", "ann<callEnded server-shutdown by bob, bob<callEnded server-shutdown by ann, (server-shutdown)", "dan media -video", "eve<media a-- video"}},
		{"shutdown with one plain client", steps{"dan call bob", "bob<incomingCall c1 from dan, ring", "ann shutdown", "dan<callEnded server-shutdown by bob, bob<callEnded server-shutdown by dan, (server-shutdown)"}},
	} {
		st := newStage("fallback", "ann", "bob", "cat", "dan+resume+call-state", "eve+resume+call-state", "fay+rings")
		for i := 0; i+1 < len(c.do); i += 2 {
			if got := st.say(c.do[i]); got != c.do[i+1] {
				t.Errorf("%s: after %q\n got: %s\nwant: %s", c.what, c.do[: i+1 : i+1][i], got, c.do[i+1])
				break
			}
		}
	}
}

func TestRelayModes(t *testing.T) {
	st := newStage("off", "ann", "bob")
	st.say("ann call bob")
	st.say("bob accept")
	if got := st.say("ann relay"); got != "ann<relay-unavailable" {
		t.Errorf("off: %s", got)
	}
	st = newStage("always", "ann", "bob+call-state", "cat+call-state")
	for do, want := range map[string]string{
		"ann call bob": "ann<callAnswered unavailable, (unavailable)", "bob call ann": "bob<callAnswered unavailable, (unavailable)",
	} {
		if got := st.say(do); got != want {
			t.Errorf("always, %s, who is a plain client: %s, want %s", do, got, want)
		}
	}
	st.say("cat call bob")
	if got := st.say("bob accept"); !strings.HasSuffix(got, "bob<callStarted callee with cat av- av-, open") {
		t.Errorf("always: %s", got)
	}
	for _, do := range []string{"cat offer", "cat offer bob", "bob answer", "bob candidate", "cat candidate", "bob unrelay", "bob offer cat #c1"} {
		if got, who := st.say(do), strings.Fields(do)[0]; got != who+"!relay-only" {
			t.Errorf("always, %s: %s", do, got)
		}
	}
	if got := st.say("cat full"); got != "cat<relay-unavailable, bob<relay-unavailable" {
		t.Errorf("always, full: %s", got)
	}
}

// TestStatus: what others see.
func TestStatus(t *testing.T) {
	st := newStage("off", "ann", "bob")
	status := func() string { return st.who["ann"].Status() + " " + st.who["bob"].Status() }
	for _, step := range []struct{ do, want string }{
		{"ann call bob", "ringing ringing"}, {"bob accept", "busy busy"}, {"ann connected", "busy busy"}, {"ann end", "available available"},
	} {
		st.say(step.do)
		if got := status(); got != step.want {
			t.Errorf("%s: %s, want %s", step.do, got, step.want)
		}
	}
}

// TestEveryRequestHasARule: a message that the table takes to the rules is known to them.
func TestEveryRequestHasARule(t *testing.T) {
	for _, row := range protocol.Table {
		if !row.Scope.Has(protocol.InCall) {
			continue
		}
		st := newStage("fallback", "ann", "bob")
		st.say("ann call bob")
		st.say("bob accept")
		func() {
			defer func() {
				if fault := recover(); fault != nil {
					t.Errorf("%s: %v", row.Type, fault)
				}
			}()
			st.m.Step(st.now, Received{st.who["ann"], row.Client})
		}()
	}
}
