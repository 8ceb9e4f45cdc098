package signaling

// This file holds the rules of calls: who may ring whom, and who may say what
// to whom when. It has no clock, no lock and no wires: [machine.step] takes an
// event and the time and returns what is to be done about it.

import (
	"time"

	"duet/signaling/protocol"
)

type phase uint8

const (
	ringing phase = iota
	accepted
	connected // somebody reported media; nothing depends on it
	ended
)

var phaseNames = [...]string{"ringing", "accepted", "connected", "ended"}

// lateWindow is how long messages for a call that has ended are ignored in
// silence: they crossed its end on the way.
const lateWindow = 5 * time.Second

// party is a user as the rules see it.
type party struct {
	id, name, key string
	features      protocol.Features
	ghost         bool // made from the other party's token after a restart; nobody has come for it

	call *call
	side int // of call: 0 is the caller, 1 the callee
	last struct {
		call, peerID, peerKey string
		until                 time.Time
	}
}

// call is two parties and what has become of their call.
type call struct {
	id       string
	party    [2]*party
	phase    phase
	media    [2]protocol.Media
	kept     [2][]protocol.MediaChange // said while ringing, for the other party on acceptance
	rung     bool                      // the caller knows that it rings
	relay    relayPhase
	reason   string       // why it is relayed
	asked    *party       // who asked for the relay, nil: the server
	room     int          // counts the relay's rooms, so that news of an older one is ignored
	answered [2]bool      // whose offer that room has answered
	started  time.Time    // when it was accepted
	told     bool         // both were told of the acceptance by this process, not by one before a restart
	statsAt  [2]time.Time // last callStats
	lastPath string       // as reported
	ends     [2]end       // what was seen of each, should the call not connect
	verdict  verdict      // as it was told
}

type relayPhase uint8

const (
	relayOff relayPhase = iota
	relayOpening
	relayOpen
	relayReady
)

func (c *call) other(p *party) *party { return c.party[1-p.side] }

// status is what others see of a party.
func (p *party) status() string {
	switch {
	case p.call == nil:
		return "available"
	case p.call.phase == ringing:
		return "ringing"
	default:
		return "busy"
	}
}

// peers reports whether target names the other party as it was told.
func (p *party) peers(target string) bool {
	if p.call == nil {
		return false
	}
	other := p.call.other(p)
	return target == other.id || target == other.name
}

// machine is all parties and their calls.
type machine struct {
	relayMode string // "off", "fallback", "prefer" or "always"
	newCallID func() string

	parties map[string]*party // by id
	names   map[string]*party // by folded name
	calls   map[string]*call

	now time.Time // of the step
	fx  []effect
}

func newMachine(relayMode string, newCallID func() string) *machine {
	return &machine{
		relayMode: relayMode,
		newCallID: newCallID,
		parties:   map[string]*party{},
		names:     map[string]*party{},
		calls:     map[string]*call{},
	}
}

// add brings a party in; its name must be free.
func (m *machine) add(p *party) {
	m.parties[p.id] = p
	m.names[p.key] = p
}

// find looks a target up: ids win.
func (m *machine) find(target string) *party {
	if p := m.parties[target]; p != nil {
		return p
	}
	return m.names[protocol.TargetKey(target)]
}

// is reports whether target means p.
func (p *party) is(target string) bool {
	return target == p.id || target == p.name || protocol.TargetKey(target) == p.key
}

func (m *machine) do(e effect)                           { m.fx = append(m.fx, e) }
func (m *machine) tell(p *party, msg protocol.Message)   { m.do(deliver{p, msg}) }
func (m *machine) refuse(p *party, why protocol.Refusal) { m.do(refuse{p, why}) }
func (m *machine) bothChanged(c *call)                   { m.do(changed{c.party[0]}); m.do(changed{c.party[1]}) }
func (m *machine) tellBoth(c *call, msg protocol.Message) {
	m.tell(c.party[0], msg)
	m.tell(c.party[1], msg)
}

// step applies one event. The effects are valid until the next step.
func (m *machine) step(now time.Time, e any) []effect {
	m.now, m.fx = now, m.fx[:0]
	switch e := e.(type) {
	case said:
		m.said(e.by, e.msg)
	case left:
		m.left(e.who)
	case rang:
		m.rang(e.callID)
	case rangOut:
		m.rangOut(e.c)
	case relayOpened:
		m.relayOpened(e)
	case relayEvent:
		m.relayEvent(e)
	case relayAnswered:
		m.relayAnswered(e)
	case diagnosisDue:
		m.diagnosisDue(e.c)
	case evident:
		m.evident(e)
	case restored:
		m.restored(e)
	case returned:
		m.returned(e)
	case shutdown:
		m.shutdown()
	}
	return m.fx
}

func (m *machine) said(p *party, msg any) {
	if place, is := msg.(protocol.CallRequest); is {
		m.place(p, place)
		return
	}
	request := msg.(protocol.AboutCall)
	ref := request.Ref()
	relayed := false
	switch msg.(type) {
	case protocol.OfferRequest, protocol.ICECandidateRequest:
		relayed = !p.peers(ref.Target) && protocol.TargetKey(ref.Target) == protocol.RelayName
	}
	c, why := m.meant(p, ref, relayed)
	if c == nil {
		if why != protocol.OK {
			m.refuse(p, why)
		}
		return
	}
	switch msg := msg.(type) {
	case protocol.CallResponseRequest:
		m.respond(c, p, msg.Accepted)
	case protocol.EndCallRequest:
		m.hangUp(c, p)
	case protocol.MediaStateChangeRequest:
		m.mediaStateChange(c, p, msg.MediaChange)
	default:
		if c.phase == ringing {
			m.refuse(p, protocol.NotAccepted)
			return
		}
		m.inCall(c, p, msg, relayed)
	}
}

// meant finds the call that a message is about. No call and no refusal means
// that the message crossed the end of its call and is ignored.
func (m *machine) meant(p *party, ref protocol.CallRef, relayed bool) (*call, protocol.Refusal) {
	c := p.call
	late := p.last.call != "" && m.now.Before(p.last.until)
	if ref.CallID != "" && (c == nil || c.id != ref.CallID) {
		switch {
		case late && p.last.call == ref.CallID:
			return nil, protocol.OK
		case c == nil:
			return nil, protocol.NoSuchCall
		default:
			return nil, protocol.NotYourCall
		}
	}
	if c != nil && ref.Target != "" && p.peers(ref.Target) {
		return c, protocol.OK
	}
	former := late && ref.CallID == "" && (ref.Target == p.last.peerID || ref.Target != "" && protocol.TargetKey(ref.Target) == p.last.peerKey)
	if c == nil {
		if former || late && (ref.Target == "" || relayed) {
			return nil, protocol.OK
		}
		return nil, protocol.NoSuchCall
	}
	if ref.Target != "" && !relayed && !c.other(p).is(ref.Target) {
		if former {
			return nil, protocol.OK
		}
		return nil, protocol.NotYourCall
	}
	return c, protocol.OK
}

// place handles `call`.
func (m *machine) place(p *party, msg protocol.CallRequest) {
	var to *party
	switch {
	case msg.HasTarget:
		to = m.find(msg.Target)
	case p.call != nil:
		to = p.call.other(p)
	default:
		m.refuse(p, protocol.BadMessage.Because("target is missing"))
		return
	}
	switch {
	case to == p:
		m.refuse(p, protocol.SelfCall)
		return
	case to == nil:
		m.refuse(p, protocol.UnknownTarget)
		return
	case p.call != nil:
		if c := p.call; c.phase == ringing && p.side == 1 && c.party[0] == to {
			m.accept(c) // both called each other: the later call is the answer to the first
			return
		}
		m.refuse(p, protocol.AlreadyInCall)
		return
	case to.call != nil:
		m.tell(p, protocol.CallAnsweredMessage{Callee: to.name, CalleeID: to.id, Reason: "busy"})
		m.do(finished{nil, "busy"})
		return
	}
	c := &call{id: m.newCallID(), party: [2]*party{p, to}, media: [2]protocol.Media{{Audio: true, Video: true}, {Audio: true, Video: true}}}
	m.enter(c)
	m.tell(to, protocol.IncomingCallMessage{Caller: p.name, CallerID: p.id, CallID: c.id, Media: msg.Media})
	m.do(startRinging{c})
	m.bothChanged(c)
}

func (m *machine) enter(c *call) {
	m.calls[c.id] = c
	for side, p := range c.party {
		p.call, p.side = c, side
	}
}

func (m *machine) rang(callID string) {
	c := m.calls[callID]
	if c == nil || c.phase != ringing || c.rung {
		return
	}
	c.rung = true
	if caller := c.party[0]; caller.features.Has(protocol.FeatureCallState) {
		m.tell(caller, protocol.RingingMessage{CallID: c.id, Callee: c.party[1].name, CalleeID: c.party[1].id})
	}
}

func (m *machine) respond(c *call, p *party, yes bool) {
	switch {
	case c.phase != ringing && p.side == 1:
		// A second answer, or one that follows a call of one's own.
	case p.side == 0:
		m.refuse(p, protocol.NotYourCall.Because("only the other party can answer this call"))
	case yes:
		m.rang(c.id) // or it could not answer, even if the writer has not said so yet
		m.accept(c)
	default:
		m.rang(c.id)
		m.answered(c, "declined")
		m.end(c, "declined")
	}
}

// answered tells the caller that its call comes to nothing.
func (m *machine) answered(c *call, reason string) {
	callee := c.party[1]
	m.tell(c.party[0], protocol.CallAnsweredMessage{Callee: callee.name, CalleeID: callee.id, CallID: c.id, Reason: reason})
}

func (m *machine) accept(c *call) {
	c.phase, c.started, c.told = accepted, m.now, true
	m.do(stopTimer{c})
	m.do(begun{c})
	callee := c.party[1]
	m.tell(c.party[0], protocol.CallAnsweredMessage{Accepted: true, Callee: callee.name, CalleeID: callee.id, CallID: c.id})
	for side := range c.party {
		m.announce(c, side)
	}
	c.kept = [2][]protocol.MediaChange{}
	m.bothChanged(c)
	if m.relayMode == "always" && c.party[0].features.Has(protocol.FeatureCallState) && c.party[1].features.Has(protocol.FeatureCallState) {
		m.wantRelay(c, nil, "always")
	}
}

// announce tells one side that the call has started, with the states that the
// other chose while it rang.
func (m *machine) announce(c *call, side int) {
	p, peer := c.party[side], c.party[1-side]
	if p.features.Has(protocol.FeatureCallState) {
		m.tell(p, protocol.CallStartedMessage{CallID: c.id, Role: roles[side], Peer: peer.name, PeerID: peer.id, Self: c.media[side], Other: c.media[1-side]})
		return
	}
	for _, kept := range c.kept[1-side] {
		m.tell(p, protocol.MediaStateChangeMessage{Media: c.media[1-side], Sender: peer.name, SenderID: peer.id, CallID: c.id, Kind: kept.Single()})
	}
}

var roles = [2]string{"caller", "callee"}
