package signaling

// This file holds the rules of how calls end.

import "duet/signaling/protocol"

func (m *machine) hangUp(c *call, p *party) {
	switch {
	case c.phase != ringing:
		m.ended(c, 1-p.side, "hangup")
		m.end(c, "hangup")
	case p.side == 0:
		m.ended(c, 1, "cancelled")
		m.end(c, "cancelled")
	default:
		m.answered(c, "declined")
		m.end(c, "declined")
	}
}

// ended tells one side that the call is over.
func (m *machine) ended(c *call, side int, reason string) {
	peer := c.party[1-side]
	m.tell(c.party[side], protocol.CallEndedMessage{Caller: peer.name, CallerID: peer.id, CallID: c.id, Reason: reason})
}

// end frees both parties; the messages about it have been sent.
func (m *machine) end(c *call, outcome string) {
	m.do(stopTimer{c})
	if c.relay != relayOff {
		c.relay = relayOff
		m.do(closeRelay{c})
	}
	m.do(finished{c, outcome})
	c.phase = ended
	delete(m.calls, c.id)
	for side, p := range c.party {
		peer := c.party[1-side]
		p.call = nil
		p.last.call, p.last.peerID, p.last.peerKey = c.id, peer.id, peer.key
		p.last.until = m.now.Add(lateWindow)
	}
	m.bothChanged(c)
}

func (m *machine) left(p *party) {
	if c := p.call; c != nil {
		switch {
		case c.phase == ringing && p.side == 1:
			m.answered(c, "unavailable")
			m.end(c, "unavailable")
		default:
			m.ended(c, 1-p.side, "disconnected")
			m.end(c, "disconnected")
		}
	}
	delete(m.parties, p.id)
	if m.names[p.key] == p {
		delete(m.names, p.key)
	}
}

func (m *machine) rangOut(c *call) {
	if c.phase != ringing {
		return
	}
	m.answered(c, "timeout")
	m.ended(c, 1, "timeout")
	m.end(c, "timeout")
}

func (m *machine) shutdown() {
	for _, c := range m.calls {
		if c.party[0].features.Has(protocol.FeatureResume) && c.party[1].features.Has(protocol.FeatureResume) {
			continue // both come back, to this call, at the next server
		}
		m.ended(c, 0, "server-shutdown")
		m.ended(c, 1, "server-shutdown")
		m.end(c, "server-shutdown")
	}
}
