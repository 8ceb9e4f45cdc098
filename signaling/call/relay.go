package call

// This file holds the rules of relaying: when a room of the relay is opened, what
// its news mean, and when it is given up.

import "duet/signaling/protocol"

// wantRelay opens the relay for a call, once; by is nil when the server asks.
func (m *Machine) wantRelay(c *Call, by *User, reason string) {
	if c.relay != relayOff {
		return // both ends may ask at the same moment: one relayStart serves both
	}
	if m.relayMode == "off" {
		m.tell(by, protocol.RelayFailedMessage{CallID: c.ID, Code: "relay-unavailable", Message: "this server does not relay"})
		return
	}
	c.relay, c.relayReason, c.relayAskedBy, c.answered = relayOpening, reason, by, [2]bool{}
	c.RelayGen++
	m.do(OpenRelay{c})
}

func (m *Machine) relayOpened(e RelayOpened) {
	c := e.Call
	if c.relay != relayOpening || e.Gen != c.RelayGen {
		return
	}
	if e.Failed != "" {
		c.relay = relayOff
		failed := protocol.RelayFailedMessage{CallID: c.ID, Code: "relay-unavailable", Message: e.Failed}
		if c.relayAskedBy != nil {
			m.tell(c.relayAskedBy, failed)
		} else {
			m.tellBoth(c, failed)
		}
		return
	}
	c.relay = relayOpen
	for side, p := range c.Party {
		for i := range protocol.Kinds {
			m.do(Mute{c, p, protocol.Kinds[i], *c.Media[side].Kind(i)})
		}
	}
	m.tellBoth(c, protocol.RelayStartMessage{CallID: c.ID, Reason: c.relayReason})
	m.bothChanged(c)
}

func (m *Machine) relayReady(e RelayReady) {
	if c := e.Call; c.relay == relayOpen && e.Gen == c.RelayGen {
		c.relay = relayReady
		m.tellBoth(c, protocol.RelayReadyMessage{CallID: c.ID})
	}
}

func (m *Machine) relayLost(e RelayLost) {
	if c := e.Call; c.relay >= relayOpen && e.Gen == c.RelayGen {
		m.failRelay(c, e.Detail)
	}
}

func (m *Machine) failRelay(c *Call, words string) {
	c.relay = relayOff
	m.do(CloseRelay{c})
	m.tellBoth(c, protocol.RelayFailedMessage{CallID: c.ID, Code: "relay-failed", Message: words})
	m.bothChanged(c)
}

func (m *Machine) relayAnswered(e RelayAnswered) {
	c := e.Call
	if c.relay < relayOpen || e.Gen != c.RelayGen {
		return
	}
	switch {
	case e.Answer == nil && c.answered[e.To.Side]: // what was agreed before goes on
		m.refuse(e.To, protocol.BadMessage.Because("the relay cannot answer this offer"))
		return
	case e.Answer == nil:
		m.failRelay(c, "the relay could not answer")
		return
	}
	c.answered[e.To.Side] = true
	if end := &c.ends[e.To.Side]; end.legAt.IsZero() {
		end.legAt = m.now
	}
	m.tell(e.To, protocol.AnswerMessage{Answer: e.Answer, Sender: protocol.RelayName, SenderID: protocol.RelayName, CallID: c.ID})
}
