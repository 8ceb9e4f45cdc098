package call

// This file holds the rules within an accepted call: negotiation, track states
// and reports.

import (
	"fmt"
	"time"

	"duet/signaling/protocol"
)

// statsInterval is how often one party's callStats are taken.
const statsInterval = 5 * time.Second

// keep remembers a state chosen while the call rings: the newest of each kind.
func (c *Call) keep(side int, ch protocol.MediaChange) {
	var kept []protocol.MediaChange
	for _, old := range c.pendingMedia[side] {
		for i, named := range ch.Named {
			if named {
				old.Named[i] = false
			}
		}
		if !old.Empty() {
			kept = append(kept, old)
		}
	}
	c.pendingMedia[side] = append(kept, ch)
}

// mediaStateChange costs one message: session tokens are not renewed for it, since
// who comes back after a restart states its media again.
func (m *Machine) mediaStateChange(c *Call, p *User, ch protocol.MediaChange) {
	ch.Apply(&c.Media[p.Side])
	if c.phase == ringing {
		c.keep(p.Side, ch)
		return
	}
	for i, named := range ch.Named {
		if named && c.relay >= relayOpen {
			m.do(Mute{c, p, protocol.Kinds[i], *ch.To.Kind(i)})
		}
	}
	if c.echo != nil {
		m.mirrorState(c, p, ch)
		return
	}
	m.tell(c.Other(p), protocol.MediaStateChangeMessage{Media: c.Media[p.Side], Sender: p.Name, SenderID: p.ID, CallID: c.ID, Kind: ch.Single()})
}

// inCall handles what only the parties of an accepted call may say.
func (m *Machine) inCall(c *Call, p *User, msg protocol.Request, relayed bool) {
	if m.relayOnly() && !relayed && direct(msg) {
		m.refuse(p, protocol.RelayOnly)
		return
	}
	if relayed && c.relay < relayOpen {
		if c.relayEnded.IsZero() || m.now.Sub(c.relayEnded) >= lateWindow { // else it crossed the end of the relay
			m.tell(p, unavailable(c, "this call is not being relayed"))
		}
		return
	}
	// Each rule has a stack frame of its own, and together they fit into a small stack.
	switch msg.(type) {
	case protocol.OfferRequest:
		m.offer(c, p, msg, relayed)
	case protocol.AnswerRequest:
		m.answer(c, p, msg)
	case protocol.ICECandidateRequest:
		m.iceCandidate(c, p, msg, relayed)
	case protocol.MediaConnectedRequest:
		m.mediaConnected(c, p, msg)
	case protocol.CallStatsRequest:
		m.callStats(c, p, msg)
	case protocol.DiagnosisRequest:
		m.diagnosed(c, p, msg)
	case protocol.RelayRequest:
		m.relayRequest(c, p, msg)
	case protocol.RelayStopRequest:
		m.relayStop(c, p)
	default:
		panic(fmt.Sprintf("no rule for a %T", msg))
	}
}

func (m *Machine) relayRequest(c *Call, p *User, request protocol.Request) {
	m.wantRelay(c, p, request.(protocol.RelayRequest).Reason)
}

func (m *Machine) offer(c *Call, p *User, request protocol.Request, relayed bool) {
	msg := request.(protocol.OfferRequest)
	c.ends[p.Side].negotiated = true
	if relayed {
		m.do(Negotiate{Call: c, By: p, SDP: msg.SDP})
		return
	}
	m.noteCandidates(c, p, &msg.At)
	m.tell(c.Other(p), protocol.OfferMessage{Offer: msg.Offer, Caller: p.Name, CallerID: p.ID, CallID: c.ID})
}

func (m *Machine) answer(c *Call, p *User, request protocol.Request) {
	msg := request.(protocol.AnswerRequest)
	c.ends[p.Side].negotiated = true
	m.noteCandidates(c, p, &msg.At)
	m.tell(c.Other(p), protocol.AnswerMessage{Answer: msg.Answer, Sender: p.Name, SenderID: p.ID, CallID: c.ID})
}

func (m *Machine) iceCandidate(c *Call, p *User, request protocol.Request, relayed bool) {
	msg := request.(protocol.ICECandidateRequest)
	if relayed {
		c.ends[p.Side].gathered = c.ends[p.Side].gathered || msg.At.Any
		m.do(RelayCandidate{c, p, msg.Candidate})
		return
	}
	m.noteCandidates(c, p, &msg.At)
	m.tell(c.Other(p), protocol.ICECandidateMessage{Candidate: msg.Candidate, Sender: p.Name, SenderID: p.ID, CallID: c.ID})
}

func (m *Machine) mediaConnected(c *Call, p *User, request protocol.Request) {
	msg := request.(protocol.MediaConnectedRequest)
	c.LastPath, c.ends[p.Side].mediaFlows = msg.Path, true
	m.do(MediaConnected{msg})
	if c.phase == accepted {
		c.phase = connected
		m.bothChanged(c)
	}
}

func (m *Machine) callStats(c *Call, p *User, request protocol.Request) {
	msg := request.(protocol.CallStatsRequest)
	if at := c.statsAt[p.Side]; at.IsZero() || m.now.Sub(at) >= statsInterval {
		c.statsAt[p.Side] = m.now
		m.do(MediaStats{msg})
	}
}

func (m *Machine) relayStop(c *Call, p *User) {
	heard := c.relay > relayAsked // by the other party
	m.leaveRelay(c)
	if heard {
		m.tell(c.Other(p), protocol.RelayStopMessage{CallID: c.ID})
		m.bothChanged(c)
	}
}

// direct reports whether a message is for a way past the relay.
func direct(msg protocol.Request) bool {
	switch msg.(type) {
	case protocol.OfferRequest, protocol.AnswerRequest, protocol.ICECandidateRequest, protocol.RelayStopRequest:
		return true
	}
	return false
}

// noteCandidates takes note of where a party says that it can be reached.
func (m *Machine) noteCandidates(c *Call, p *User, at *protocol.Addresses) {
	end := &c.ends[p.Side]
	end.gathered = end.gathered || at.Any
	end.public |= at.Public
	for _, ip := range at.IPs {
		m.do(NoteCandidate{c, p, ip})
	}
}
