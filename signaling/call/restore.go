package call

// This file holds the rules of calls that outlive the server: what two tokens
// say is put together again.

import "duet/signaling/protocol"

// Snapshot is a call as one of its parties sees it; session tokens carry it.
type Snapshot struct {
	ID           string            `json:"id"`
	Phase        Phase             `json:"p"`
	Side         int               `json:"s"`
	PeerID       string            `json:"pi"`
	PeerName     string            `json:"pn"`
	PeerFeatures protocol.Features `json:"pf"`
	Self         protocol.Media    `json:"ms"`
	Peer         protocol.Media    `json:"mp"`
	Relay        bool              `json:"r"`
}

// Snapshot is the call that u is in, or nil.
func (u *User) Snapshot() *Snapshot {
	c := u.Call
	if c == nil {
		return nil
	}
	peer := c.Other(u)
	return &Snapshot{
		ID: c.ID, Phase: c.phase, Side: u.Side, PeerID: peer.ID, PeerName: peer.Name, PeerFeatures: peer.Features,
		Self: c.Media[u.Side], Peer: c.Media[1-u.Side], Relay: c.Relayed(),
	}
}

func (m *Machine) restored(e Restored) {
	cl := e.Snapshot
	c := &Call{ID: cl.ID, phase: cl.Phase, rung: true, restored: true}
	side := cl.Side & 1
	peer := e.Peer
	gone := peer == nil || peer.Call != nil || !peer.AwaitingRestore
	if peer == nil {
		peer = &User{ID: cl.PeerID, Name: cl.PeerName, Key: protocol.FoldName(cl.PeerName), Features: cl.PeerFeatures}
	}
	c.Party[side], c.Party[1-side] = e.User, peer
	c.Media[side], c.Media[1-side] = cl.Self, cl.Peer
	if cl.Relay {
		c.relayReason = "restored"
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
		m.do(Finished{c, "disconnected"})
		return
	}
	m.enter(c)
	if c.phase == ringing {
		m.do(StartRingTimer{c})
	} else {
		c.Started = m.now
		m.do(Begun{c})
	}
	m.bothChanged(c)
}

func (m *Machine) returned(e Returned) {
	p := e.User
	p.AwaitingRestore = false
	c := p.Call
	if c == nil || !c.restored {
		return // a call that has begun since rings, or has been missed, as for anybody who was away
	}
	side, cl := p.Side, e.Snapshot
	if cl == nil || cl.ID != c.ID {
		// It does not know the call: its client is free, and the other is told.
		other := c.Other(p)
		if c.phase == ringing && other.Side == 0 {
			m.answered(c, "unavailable")
		} else {
			m.ended(c, other.Side, "disconnected")
		}
		m.end(c, "disconnected")
		return
	}
	c.Media[side] = cl.Self
	switch {
	case c.phase == ringing && cl.Phase != ringing:
		// Its token was made after the acceptance, the other's before.
		c.phase, c.Started = cl.Phase, m.now
		m.do(StopTimer{c})
		m.do(Begun{c})
		m.learn(c, 1-side)
	case c.phase != ringing && cl.Phase == ringing && !c.announced:
		m.learn(c, side)
	}
	if cl.Relay {
		c.relayReason = "restored"
	}
	if c.phase != ringing && (c.relayReason == "restored" || m.relayOnly()) && m.relayMode != "off" {
		m.wantRelay(c, nil, "restored")
	}
	m.bothChanged(c)
}

// learn tells one side that its call has been accepted.
func (m *Machine) learn(c *Call, side int) {
	if side == 0 {
		callee := c.Party[1]
		m.tell(c.Party[0], protocol.CallAnsweredMessage{Accepted: true, Callee: callee.Name, CalleeID: callee.ID, CallID: c.ID})
	}
	m.announce(c, side)
}
