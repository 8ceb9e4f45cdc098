package call

// This file holds the rules of how calls end.

import "duet/signaling/protocol"

func (m *Machine) hangUp(c *Call, p *User) {
	switch {
	case c.phase != ringing:
		m.ended(c, 1-p.Side, "hangup")
		m.end(c, "hangup")
	case p.Side == 0:
		m.ended(c, 1, "cancelled")
		m.end(c, "cancelled")
	default:
		m.answered(c, "declined")
		m.end(c, "declined")
	}
}

// ended tells one side that the call is over.
func (m *Machine) ended(c *Call, side int, reason string) {
	peer := c.Party[1-side]
	m.tell(c.Party[side], protocol.CallEndedMessage{Caller: peer.Name, CallerID: peer.ID, CallID: c.ID, Reason: reason})
}

// end frees both parties; the messages about it have been sent.
func (m *Machine) end(c *Call, outcome string) {
	m.do(StopTimer{c})
	m.leaveRelay(c)
	m.do(Finished{c, outcome})
	c.phase = ended
	if c.echo != nil {
		m.echoing--
	}
	delete(m.calls, c.ID)
	for side, p := range c.Party {
		peer := c.Party[1-side]
		p.Call = nil
		p.last.call, p.last.peerID, p.last.peerKey = c.ID, peer.ID, peer.Key
		p.last.until = m.now.Add(lateWindow)
	}
	m.bothChanged(c)
}

func (m *Machine) gone(p *User) {
	if c := p.Call; c != nil {
		switch {
		case c.phase == ringing && p.Side == 1:
			m.answered(c, "unavailable")
			m.end(c, "unavailable")
		default:
			m.ended(c, 1-p.Side, "disconnected")
			m.end(c, "disconnected")
		}
	}
	delete(m.users, p.ID)
	if m.looks[p.looks]--; m.looks[p.looks] == 0 {
		delete(m.looks, p.looks)
	}
	if m.names[p.Key] == p {
		delete(m.names, p.Key)
	}
}

func (m *Machine) ringTimeout(c *Call) {
	if c.phase != ringing {
		return
	}
	m.answered(c, "timeout")
	m.ended(c, 1, "timeout")
	m.end(c, "timeout")
}

func (m *Machine) shutdown() {
	for _, c := range m.calls {
		if c.Party[0].Features.Has(protocol.FeatureResume) && c.Party[1].Features.Has(protocol.FeatureResume) {
			continue // both come back, to this call, at the next server
		}
		m.ended(c, 0, "server-shutdown")
		m.ended(c, 1, "server-shutdown")
		m.end(c, "server-shutdown")
	}
}
