package call

// This file holds the rules of ringing and acceptance.

import "duet/signaling/protocol"

// place handles `call`.
func (m *Machine) place(p *User, msg protocol.CallRequest) {
	var to *User
	switch {
	case msg.HasTarget:
		to = m.find(msg.Target)
	case p.Call != nil:
		to = p.Call.Other(p)
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
	case p.Call != nil:
		if c := p.Call; c.phase == ringing && p.Side == 1 && c.Party[0] == to {
			m.accept(c) // both called each other: the later call is the answer to the first
			return
		}
		m.refuse(p, protocol.AlreadyInCall)
		return
	case to == m.echo:
		m.placeEcho(p)
		return
	case to.Call != nil:
		m.comesToNothing(p, to, "busy")
		return
	case m.relayOnly() && !(p.Features.Has(protocol.FeatureCallState) && to.Features.Has(protocol.FeatureCallState)):
		m.comesToNothing(p, to, "unavailable") // one of them does not know the relay
		return
	case !m.limits.MayRing(to):
		m.comesToNothing(p, to, "busy")
		return
	}
	c := &Call{ID: m.newCallID(), Party: [2]*User{p, to}, Media: [2]protocol.Media{{Audio: true, Video: true}, {Audio: true, Video: true}}}
	m.enter(c)
	m.tell(to, protocol.IncomingCallMessage{Caller: p.Name, CallerID: p.ID, CallID: c.ID, Lookalike: m.LooksLikeAnother(p), Media: msg.Media})
	m.do(StartRingTimer{c})
	m.bothChanged(c)
}

// comesToNothing answers a call that does not ring.
func (m *Machine) comesToNothing(p, to *User, reason string) {
	m.tell(p, protocol.CallAnsweredMessage{Callee: to.Name, CalleeID: to.ID, Reason: reason})
	m.do(Finished{nil, reason})
}

func (m *Machine) enter(c *Call) {
	m.calls[c.ID] = c
	for side, p := range c.Party {
		p.Call, p.Side = c, side
	}
}

// written: the callee's connection has the call, which a client that shows it says itself: its page may be frozen, behind a
// connection that works.
func (m *Machine) written(c *Call) {
	if c != nil && !c.Party[1].Features.Has(protocol.FeatureRings) {
		m.rings(c)
	}
}

// rings tells the caller, once, that its call rings.
func (m *Machine) rings(c *Call) {
	if c.phase != ringing || c.rung {
		return
	}
	c.rung = true
	if caller := c.Party[0]; caller.Features.Has(protocol.FeatureCallState) {
		m.tell(caller, protocol.RingingMessage{CallID: c.ID, Callee: c.Party[1].Name, CalleeID: c.Party[1].ID})
	}
}

func (m *Machine) respond(c *Call, p *User, response protocol.CallResponseRequest) {
	switch {
	case c.phase != ringing && p.Side == 1:
		// A second answer, or one that follows a call of one's own.
	case p.Side == 0:
		m.refuse(p, protocol.NotYourCall.Because("only the other party can answer this call"))
	case response.Accepted:
		m.rings(c) // or it could not answer, even if the writer has not said so yet
		m.accept(c)
	default:
		m.rings(c)
		reason := "declined"
		if response.Unable {
			reason = "unavailable"
		}
		m.answeredWith(c, reason, response.Note)
		m.end(c, reason)
	}
}

// answered tells the caller that its call comes to nothing.
func (m *Machine) answered(c *Call, reason string) { m.answeredWith(c, reason, "") }

func (m *Machine) answeredWith(c *Call, reason, note string) {
	callee := c.Party[1]
	m.tell(c.Party[0], protocol.CallAnsweredMessage{Callee: callee.Name, CalleeID: callee.ID, CallID: c.ID, Reason: reason, Note: note})
}

func (m *Machine) accept(c *Call) {
	c.phase, c.Started, c.announced = accepted, m.now, true
	m.do(StopTimer{c})
	m.do(Begun{c})
	callee := c.Party[1]
	m.tell(c.Party[0], protocol.CallAnsweredMessage{Accepted: true, Callee: callee.Name, CalleeID: callee.ID, CallID: c.ID})
	for side := range c.Party {
		m.announce(c, side)
	}
	c.pendingMedia = [2][]protocol.MediaChange{}
	m.bothChanged(c)
	if m.relayOnly() {
		m.wantRelay(c, nil, "always")
	}
}

// announce tells one side that the call has started, with the states that the
// other chose while it rang.
func (m *Machine) announce(c *Call, side int) {
	p, peer := c.Party[side], c.Party[1-side]
	if p.Features.Has(protocol.FeatureCallState) {
		m.tell(p, protocol.CallStartedMessage{CallID: c.ID, Role: Roles[side], Peer: peer.Name, PeerID: peer.ID, Self: c.Media[side], Other: c.Media[1-side]})
		return
	}
	for _, kept := range c.pendingMedia[1-side] {
		m.tell(p, protocol.MediaStateChangeMessage{Media: c.Media[1-side], Sender: peer.Name, SenderID: peer.ID, CallID: c.ID, Kind: kept.Single()})
	}
}
