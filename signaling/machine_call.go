package signaling

// This file holds the rules within an accepted call: negotiation, track states
// and the relay.

import "time"

// statsInterval is how often one party's callStats are taken.
const statsInterval = 5 * time.Second

// keep remembers a state chosen while the call rings: the newest of each kind.
func (c *call) keep(side int, ch change) {
	var kept []change
	for _, old := range c.kept[side] {
		for i, named := range ch.named {
			if named {
				old.named[i] = false
			}
		}
		if !old.empty() {
			kept = append(kept, old)
		}
	}
	c.kept[side] = append(kept, ch)
}

func (m *machine) mediaStateChange(c *call, p *party, ch change) {
	ch.apply(&c.media[p.side])
	if c.phase == ringing {
		c.keep(p.side, ch)
	} else {
		for i, named := range ch.named {
			if named && c.relay >= relayOpen {
				m.do(muteRelay{c, p, i, *ch.to.kind(i)})
			}
		}
		m.tell(c.other(p), mediaStateChangeMessage{Media: c.media[p.side], Sender: p.name, SenderID: p.id, CallID: c.id, Kind: ch.single()})
	}
	m.bothChanged(c)
}

// inCall handles what only the parties of an accepted call may say.
func (m *machine) inCall(c *call, p *party, msg any, relayed bool) {
	if relayed && c.relay < relayOpen {
		m.tell(p, relayFailedMessage{CallID: c.id, Code: "relay-unavailable", Message: "this call is not being relayed"})
		return
	}
	peer, end := c.other(p), &c.ends[p.side]
	switch msg := msg.(type) {
	case offerRequest:
		end.spoke = true
		if relayed {
			m.do(askRelay{c, p, msg.sdp})
			return
		}
		m.reached(c, p, msg.at)
		m.tell(peer, offerMessage{Offer: msg.Offer, Caller: p.name, CallerID: p.id, CallID: c.id})
	case answerRequest:
		end.spoke = true
		m.reached(c, p, msg.at)
		m.tell(peer, answerMessage{Answer: msg.Answer, Sender: p.name, SenderID: p.id, CallID: c.id})
	case iceCandidateRequest:
		end.gathered = end.gathered || msg.at.some
		if relayed {
			m.do(candidateRelay{c, p, msg.Candidate})
			return
		}
		m.reached(c, p, msg.at)
		m.tell(peer, iceCandidateMessage{Candidate: msg.Candidate, Sender: p.name, SenderID: p.id, CallID: c.id})
	case mediaConnectedRequest:
		c.lastPath, end.flows = msg.Path, true
		m.do(reported{c, p, msg})
		if c.phase == accepted {
			c.phase = connected
			m.bothChanged(c)
		}
	case callStatsRequest:
		if at := c.statsAt[p.side]; at.IsZero() || m.now.Sub(at) >= statsInterval {
			c.statsAt[p.side] = m.now
			m.do(reported{c, p, msg})
		}
	case diagnosisRequest:
		m.diagnosed(c, p, msg)
	case relayRequestRequest:
		m.wantRelay(c, p, msg.Reason)
	case relayStopRequest:
		if c.relay != relayOff {
			c.relay = relayOff
			m.do(closeRelay{c})
			m.tell(peer, relayStopMessage{CallID: c.id})
			m.bothChanged(c)
		}
	}
}

// reached takes note of where a party says that it can be reached.
func (m *machine) reached(c *call, p *party, at addresses) {
	end := &c.ends[p.side]
	end.gathered = end.gathered || at.some
	end.public |= at.public
	for _, ip := range at.ips {
		m.do(reached{c, p, ip})
	}
}

// wantRelay opens the relay for a call, once; by is nil when the server asks.
func (m *machine) wantRelay(c *call, by *party, reason string) {
	if c.relay != relayOff {
		return // both ends may ask at the same moment: one relayStart serves both
	}
	if m.relayMode == "off" {
		m.tell(by, relayFailedMessage{CallID: c.id, Code: "relay-unavailable", Message: "this server does not relay"})
		return
	}
	c.relay, c.reason, c.asked, c.answered = relayOpening, reason, by, [2]bool{}
	c.room++
	m.do(openRelay{c})
}

func (m *machine) relayOpened(e relayOpened) {
	c := e.c
	if c.relay != relayOpening {
		return
	}
	if e.failed != "" {
		c.relay = relayOff
		failed := relayFailedMessage{CallID: c.id, Code: "relay-unavailable", Message: e.failed}
		if c.asked != nil {
			m.tell(c.asked, failed)
		} else {
			m.tellBoth(c, failed)
		}
		return
	}
	c.relay = relayOpen
	for side, p := range c.party {
		for i := range kinds {
			m.do(muteRelay{c, p, i, *c.media[side].kind(i)})
		}
	}
	m.tellBoth(c, relayStartMessage{CallID: c.id, Reason: c.reason})
	m.bothChanged(c)
}

func (m *machine) relayEvent(e relayEvent) {
	c := e.c
	if c.relay < relayOpen || e.room != c.room {
		return
	}
	if !e.ready {
		m.relayLost(c, e.detail)
		return
	}
	if c.relay == relayOpen {
		c.relay = relayReady
		m.tellBoth(c, relayReadyMessage{CallID: c.id})
	}
}

func (m *machine) relayLost(c *call, words string) {
	c.relay = relayOff
	m.do(closeRelay{c})
	m.tellBoth(c, relayFailedMessage{CallID: c.id, Code: "relay-failed", Message: words})
	m.bothChanged(c)
}

func (m *machine) relayAnswered(e relayAnswered) {
	c := e.c
	if c.relay < relayOpen || e.room != c.room {
		return
	}
	switch {
	case e.failed && c.answered[e.to.side]: // what was agreed before goes on
		m.refuse(e.to, refBadMessage.because("the relay cannot answer this offer"))
		return
	case e.failed:
		m.relayLost(c, "the relay could not answer")
		return
	}
	c.answered[e.to.side] = true
	if end := &c.ends[e.to.side]; end.legAt.IsZero() {
		end.legAt = m.now
	}
	m.tell(e.to, answerMessage{Answer: e.answer, Sender: relayName, SenderID: relayName, CallID: c.id})
}
