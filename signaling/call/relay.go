package call

// This file holds the rules of relaying: when a room of the relay is opened, what
// its news mean, and when it is given up.

import (
	"cmp"
	"time"

	"duet/signaling/protocol"
)

// RelayWait is how long a party that asks for the relay waits for the other to do so,
// where that has not said before that it takes part.
const RelayWait = 2 * time.Second

// wantRelay opens the relay for a call, once, if both parties take part; by is nil
// when the server asks.
func (m *Machine) wantRelay(c *Call, by *User, reason string) {
	if m.relayMode == "off" {
		m.tell(by, unavailable(c, "this server does not relay"))
		return
	}
	if c.relay == relayOff {
		c.relayReason, c.relayAskedBy = reason, [2]bool{}
		c.RelayGen++
	}
	if by != nil {
		c.asked[by.Side], c.relayAskedBy[by.Side] = true, true
	}
	if c.relay > relayAsked {
		return // both ends may ask at the same moment: one relayStart serves both
	}
	if by != nil && !c.takesPart(1-by.Side) {
		if c.relay == relayOff {
			c.relay = relayAsked
			m.do(StartRelayTimer{c, c.RelayGen})
		}
		return
	}
	c.relay, c.answered = relayOpening, [2]bool{}
	m.do(OpenRelay{c})
}

// takesPart reports whether a party knows of the relay: by its feature, or because it
// has asked in this call. A room for another would stand empty.
func (c *Call) takesPart(side int) bool {
	return c.asked[side] || c.Party[side].Features.Has(protocol.FeatureCallState)
}

func (m *Machine) relayUnmet(e RelayUnmet) {
	if c := e.Call; c.relay == relayAsked && e.Gen == c.RelayGen {
		c.relay = relayOff
		m.tellAsked(c, unavailable(c, "the other party's client takes no part in relaying"))
	}
}

func unavailable(c *Call, words string) protocol.Message {
	return protocol.RelayFailedMessage{CallID: c.ID, Code: "relay-unavailable", Message: words}
}

// tellAsked tells those who have asked for this room; both, when only the server has.
func (m *Machine) tellAsked(c *Call, msg protocol.Message) {
	for side, p := range c.Party {
		if c.relayAskedBy[side] || c.relayAskedBy == [2]bool{} {
			m.tell(p, msg)
		}
	}
}

func (m *Machine) relayOpened(e RelayOpened) {
	c := e.Call
	if c.relay != relayOpening || e.Gen != c.RelayGen {
		return
	}
	if e.Failed != "" {
		c.relay = relayOff
		if c.echo != nil {
			m.echoFails(c, e.Failed)
			return
		}
		m.tellAsked(c, unavailable(c, e.Failed))
		return
	}
	c.relay = relayOpen
	for side, p := range c.Party {
		for i := range protocol.Kinds {
			m.do(Mute{c, p, protocol.Kinds[i], *c.Media[side].Kind(i)})
		}
	}
	if c.echo == nil || !c.echo.asPeer {
		m.tellBoth(c, protocol.RelayStartMessage{CallID: c.ID, Reason: c.relayReason})
	}
	m.bothChanged(c)
}

func (m *Machine) relayReady(e RelayReady) {
	if c := e.Call; c.relay == relayOpen && e.Gen == c.RelayGen {
		c.relay = relayReady
		if c.echo != nil {
			m.remark(c, "mirroring", "your media has come, and goes back to you")
		}
		if c.echo == nil || !c.echo.asPeer {
			m.tellBoth(c, protocol.RelayReadyMessage{CallID: c.ID})
		}
	}
}

func (m *Machine) relayLost(e RelayLost) {
	if c := e.Call; c.relay >= relayOpen && e.Gen == c.RelayGen {
		m.failRelay(c, [2]string{e.Detail, e.Detail})
	}
}

// failRelay ends the relay, and tells each side why.
func (m *Machine) failRelay(c *Call, words [2]string) {
	if c.echo != nil {
		m.echoFails(c, words[0])
		return
	}
	m.leaveRelay(c)
	for side, p := range c.Party {
		m.tell(p, protocol.RelayFailedMessage{CallID: c.ID, Code: "relay-failed", Message: words[side]})
	}
	m.bothChanged(c)
}

func (m *Machine) leaveRelay(c *Call) {
	if c.relay > relayAsked {
		m.do(CloseRelay{c})
		c.relayEnded = m.now
		c.ends[0].legAt, c.ends[1].legAt = time.Time{}, time.Time{}
	}
	c.relay = relayOff
}

func (m *Machine) relayAnswered(e RelayAnswered) {
	c := e.Call
	if c.relay < relayOpen || e.Gen != c.RelayGen {
		return
	}
	switch {
	case e.Answer == nil && c.answered[e.To.Side]: // what was agreed before goes on
		m.refuse(e.To, protocol.BadMessage.Because(cmp.Or(e.Unfit, "the relay cannot answer this offer")))
		return
	case e.Answer == nil:
		words := [2]string{"the relay could not answer", "the relay could not answer"}
		words[e.To.Side] = cmp.Or(e.Unfit, words[e.To.Side])
		m.failRelay(c, words)
		return
	}
	c.answered[e.To.Side] = true
	if end := &c.ends[e.To.Side]; end.legAt.IsZero() {
		end.legAt = m.now
	}
	answer := protocol.AnswerMessage{Answer: e.Answer, Sender: protocol.RelayName, SenderID: protocol.RelayName, CallID: c.ID}
	if c.echo != nil && c.echo.asPeer {
		answer.Sender, answer.SenderID = c.Party[1].Name, c.Party[1].ID
	}
	m.tell(e.To, answer)
}
