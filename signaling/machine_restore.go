package signaling

// This file holds the rules of calls that outlive the server: what two tokens
// say is put together again.

import "duet/signaling/protocol"

type (
	// restored: a session came back from its token, which knew a call. peer is
	// the other party: waiting to come back too, here without this call, or nil
	// when it can never come.
	restored struct {
		by     *party
		claims *callClaims
		peer   *party
	}
	// returned: the waiting party came, too; claims is the call that its token
	// knew, or nil.
	returned struct {
		by     *party
		claims *callClaims
	}
)

func (m *machine) restored(e restored) {
	cl := e.claims
	c := &call{id: cl.ID, phase: cl.Phase, rung: true}
	side := cl.Side & 1
	peer := e.peer
	gone := peer == nil || peer.call != nil || !peer.ghost
	if peer == nil {
		peer = &party{id: cl.PeerID, name: cl.PeerName, key: protocol.FoldName(cl.PeerName), features: cl.PeerFeatures}
	}
	c.party[side], c.party[1-side] = e.by, peer
	c.media[side], c.media[1-side] = cl.Self, cl.Peer
	if cl.Relay {
		c.reason = "restored"
	}
	if gone {
		// The other party is here without the call, so the call is over. It ends
		// for this side alone.
		switch {
		case c.phase == ringing && side == 0:
			m.answered(c, "unavailable")
		default:
			m.ended(c, side, "disconnected")
		}
		m.do(finished{c, "disconnected"})
		return
	}
	m.enter(c)
	if c.phase == ringing {
		m.do(startRinging{c})
	} else {
		c.started = m.now
		m.do(begun{c})
	}
	m.bothChanged(c)
}

func (m *machine) returned(e returned) {
	p := e.by
	p.ghost = false
	c := p.call
	if c == nil {
		return
	}
	side, cl := p.side, e.claims
	if cl == nil || cl.ID != c.id {
		// It does not know the call: its client is free, and the other is told.
		other := c.other(p)
		if c.phase == ringing && other.side == 0 {
			m.answered(c, "unavailable")
		} else {
			m.ended(c, other.side, "disconnected")
		}
		m.end(c, "disconnected")
		return
	}
	c.media[side] = cl.Self
	switch {
	case c.phase == ringing && cl.Phase != ringing:
		// Its token was made after the acceptance, the other's before.
		c.phase, c.started = cl.Phase, m.now
		m.do(stopTimer{c})
		m.do(begun{c})
		m.learn(c, 1-side)
	case c.phase != ringing && cl.Phase == ringing && !c.told:
		m.learn(c, side)
	}
	if cl.Relay {
		c.reason = "restored"
	}
	if c.phase != ringing && c.reason == "restored" && m.relayMode != "off" {
		m.wantRelay(c, nil, "restored")
	}
	m.bothChanged(c)
}

// learn tells one side that its call has been accepted.
func (m *machine) learn(c *call, side int) {
	if side == 0 {
		callee := c.party[1]
		m.tell(c.party[0], protocol.CallAnsweredMessage{Accepted: true, Callee: callee.name, CalleeID: callee.id, CallID: c.id})
	}
	m.announce(c, side)
}
