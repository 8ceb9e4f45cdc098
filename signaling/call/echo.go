package call

// This file holds the rules of the echo user: it takes every call at once, gives media back through the relay, and says in
// words what it notices of its caller's messages.

import (
	"time"

	"duet/signaling/protocol"
)

// What the echo user may cost: calls at once, and the time of each.
const (
	echoCalls = 20
	echoTime  = 2 * time.Minute
)

// echoSteps are when it looks whether there is an offer, and whether media has come.
var echoSteps = [...]time.Duration{5 * time.Second, 15 * time.Second, echoTime}

// echo is what a call with the echo user has beside others.
type echo struct {
	asPeer  bool // the relay answers what is offered to the echo user; else what is offered to the relay
	offered bool
	step    int // of echoSteps
	said    map[string]bool
}

// AddEcho brings the echo user in, for whom there is no session; the name must be free.
func (m *Machine) AddEcho(id, name string) *User {
	m.echo = &User{ID: id, Name: name, Key: protocol.FoldName(name)}
	m.Add(m.echo)
	return m.echo
}

// placeEcho begins a call with it. Each call has a party of its own, so that the echo user is never busy.
func (m *Machine) placeEcho(p *User) {
	if m.echoing >= echoCalls {
		m.comesToNothing(p, m.echo, "busy")
		return
	}
	m.echoing++
	party := &User{ID: m.echo.ID, Name: m.echo.Name, Key: m.echo.Key}
	asPeer := !m.relayOnly() || !p.Features.Has(protocol.FeatureCallState)
	c := &Call{ID: m.newCallID(), Party: [2]*User{p, party}, Media: [2]protocol.Media{{Audio: true, Video: true}, {Audio: true, Video: true}},
		echo: &echo{asPeer: asPeer, said: map[string]bool{}}}
	m.enter(c)
	m.accept(c)
	if c.relay == relayOff {
		m.wantRelay(c, nil, "echo")
	}
	m.remark(c, "listening", "I have taken your call: send your offer, and then its candidates")
	m.do(StartEchoTimer{c, echoSteps[0]})
}

// Echo reports whether the callee is the echo user, so that the relay gives the caller back what it sends.
func (c *Call) Echo() bool { return c.echo != nil }

// remark tells the caller something, once.
func (m *Machine) remark(c *Call, code, words string) {
	if !c.echo.said[code] {
		c.echo.said[code] = true
		m.tell(c.Party[0], protocol.RemarkMessage{CallID: c.ID, Code: code, Message: words})
	}
}

// toEcho handles what the caller says to it, and reports whether that was all.
func (m *Machine) toEcho(c *Call, p *User, msg protocol.Request, relayed bool) (done bool) {
	if relayed && c.echo.asPeer {
		m.tell(p, protocol.RelayFailedMessage{CallID: c.ID, Code: "relay-unavailable", Message: "offer to the echo user itself: the relay answers for it"})
		return true
	}
	if _, is := msg.(protocol.DiagnosisRequest); is {
		return true // there is nobody at the other end to hear a verdict with
	}
	if relayed == c.echo.asPeer || c.relay <= relayAsked {
		return false
	}
	switch msg := msg.(type) {
	case protocol.OfferRequest:
		c.echo.offered = true
		m.remark(c, "offer", "your offer has come, and is answered by the relay")
		m.do(Negotiate{Call: c, By: p, SDP: msg.SDP, Init: msg.Offer})
	case protocol.ICECandidateRequest:
		if !c.echo.offered {
			m.remark(c, "early-candidate", "your candidate came before your offer: send the offer first, for who gets a candidate has nothing to add it to until then")
		}
		m.do(RelayCandidate{c, p, msg.Candidate})
	case protocol.AnswerRequest:
		m.remark(c, "stray-answer", "you sent an answer, and I have offered nothing: the caller makes the first offer")
	case protocol.RelayRequest:
		m.tell(p, protocol.RelayFailedMessage{CallID: c.ID, Code: "relay-unavailable", Message: "the echo user is at the relay already"})
	case protocol.RelayStopRequest:
	default:
		return false
	}
	return true
}

// mirrorState says of the echo user's media what the caller says of its own.
func (m *Machine) mirrorState(c *Call, p *User, ch protocol.MediaChange) {
	c.Media[1] = c.Media[0]
	m.remark(c, "state", "you said what you send: what is off does not come back")
	m.tell(p, protocol.MediaStateChangeMessage{Media: c.Media[1], Sender: c.Party[1].Name, SenderID: c.Party[1].ID, CallID: c.ID, Kind: ch.Single()})
}

func (m *Machine) echoTimeout(c *Call) {
	if c.phase == ended {
		return
	}
	e := c.echo
	switch {
	case e.step == len(echoSteps)-1:
		m.remark(c, "time", "two minutes are over")
		m.hangUp(c, c.Party[1])
		return
	case !e.offered:
		m.remark(c, "no-offer", "no offer has come yet: the caller makes it, after callAnswered")
	case c.relay != relayReady:
		m.remark(c, "no-media", "your offer was answered, and no media comes: add the answer and the candidates in it, and see whether your network lets you reach this server's relay")
	}
	e.step++
	m.do(StartEchoTimer{c, echoSteps[e.step] - echoSteps[e.step-1]})
}

// echoFails ends a call for which there is no relay.
func (m *Machine) echoFails(c *Call, words string) {
	m.remark(c, "no-relay", "without the relay there is no echo: "+words)
	m.hangUp(c, c.Party[1])
}
