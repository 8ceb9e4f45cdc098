package call

// This file finds the call that a message is about, and the rule for it.

import (
	"time"

	"duet/signaling/protocol"
)

// lateWindow is how long messages for a call that has ended are ignored in
// silence: they crossed its end on the way.
const lateWindow = 5 * time.Second

func (m *Machine) received(p *User, msg protocol.Request) {
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
	if !relayed && c.phase != ringing && forPeer(msg) && !m.limits.MayDeliver(c.Other(p)) {
		m.refuse(p, protocol.RateLimited)
		return
	}
	switch msg := msg.(type) {
	case protocol.CallResponseRequest:
		m.respond(c, p, msg)
	case protocol.RingingRequest:
		if p.Side == 0 {
			m.refuse(p, protocol.NotYourCall.Because("only the other party can say that it rings"))
			return
		}
		m.rings(c)
	case protocol.EndCallRequest:
		m.hangUp(c, p)
	case protocol.MediaStateChangeRequest:
		m.mediaStateChange(c, p, msg.MediaChange)
	default:
		if c.phase == ringing {
			m.refuse(p, protocol.NotAccepted)
			return
		}
		if c.echo == nil || !m.toEcho(c, p, msg, relayed) {
			m.inCall(c, p, msg, relayed)
		}
	}
}

// meant finds the call that a message is about. No call and no refusal means
// that the message crossed the end of its call and is ignored.
func (m *Machine) meant(p *User, ref protocol.CallRef, relayed bool) (*Call, protocol.Refusal) {
	c := p.Call
	late := p.last.call != "" && m.now.Before(p.last.until)
	if ref.CallID != "" && (c == nil || c.ID != ref.CallID) {
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
	if ref.Target != "" && !relayed && !c.Other(p).is(ref.Target) {
		if former {
			return nil, protocol.OK
		}
		return nil, protocol.NotYourCall
	}
	return c, protocol.OK
}

// forPeer reports whether a message leads to one for the other party, and may be
// sent again when that has caught up. Its end is not among them.
func forPeer(msg protocol.Request) bool {
	switch msg.(type) {
	case protocol.OfferRequest, protocol.AnswerRequest, protocol.ICECandidateRequest, protocol.MediaStateChangeRequest,
		protocol.RelayRequest, protocol.RelayStopRequest:
		return true
	}
	return false
}
