package signaling

// This file holds the rules within an accepted call: negotiation, track states
// and the relay.

import (
	"time"

	"duet/signaling/protocol"
)

// statsInterval is how often one party's callStats are taken.
const statsInterval = 5 * time.Second

// keep remembers a state chosen while the call rings: the newest of each kind.
func (c *call) keep(side int, ch protocol.MediaChange) {
	var kept []protocol.MediaChange
	for _, old := range c.kept[side] {
		for i, named := range ch.Named {
			if named {
				old.Named[i] = false
			}
		}
		if !old.Empty() {
			kept = append(kept, old)
		}
	}
	c.kept[side] = append(kept, ch)
}

func (m *machine) mediaStateChange(c *call, p *party, ch protocol.MediaChange) {
	ch.Apply(&c.media[p.side])
	if c.phase == ringing {
		c.keep(p.side, ch)
	} else {
		for i, named := range ch.Named {
			if named && c.relay >= relayOpen {
				m.do(muteRelay{c, p, i, *ch.To.Kind(i)})
			}
		}
		m.tell(c.other(p), protocol.MediaStateChangeMessage{Media: c.media[p.side], Sender: p.name, SenderID: p.id, CallID: c.id, Kind: ch.Single()})
	}
	m.bothChanged(c)
}

// inCall handles what only the parties of an accepted call may say.
func (m *machine) inCall(c *call, p *party, msg any, relayed bool) {
	if relayed && c.relay < relayOpen {
		m.tell(p, protocol.RelayFailedMessage{CallID: c.id, Code: "relay-unavailable", Message: "this call is not being relayed"})
		return
	}
	peer, end := c.other(p), &c.ends[p.side]
	switch msg := msg.(type) {
	case protocol.OfferRequest:
		end.spoke = true
		if relayed {
			m.do(askRelay{c, p, msg.SDP})
			return
		}
		m.reached(c, p, msg.At)
		m.tell(peer, protocol.OfferMessage{Offer: msg.Offer, Caller: p.name, CallerID: p.id, CallID: c.id})
	case protocol.AnswerRequest:
		end.spoke = true
		m.reached(c, p, msg.At)
		m.tell(peer, protocol.AnswerMessage{Answer: msg.Answer, Sender: p.name, SenderID: p.id, CallID: c.id})
	case protocol.ICECandidateRequest:
		end.gathered = end.gathered || msg.At.Any
		if relayed {
			m.do(candidateRelay{c, p, msg.Candidate})
			return
		}
		m.reached(c, p, msg.At)
		m.tell(peer, protocol.ICECandidateMessage{Candidate: msg.Candidate, Sender: p.name, SenderID: p.id, CallID: c.id})
	case protocol.MediaConnectedRequest:
		c.lastPath, end.flows = msg.Path, true
		m.do(reported{c, p, msg})
		if c.phase == accepted {
			c.phase = connected
			m.bothChanged(c)
		}
	case protocol.CallStatsRequest:
		if at := c.statsAt[p.side]; at.IsZero() || m.now.Sub(at) >= statsInterval {
			c.statsAt[p.side] = m.now
			m.do(reported{c, p, msg})
		}
	case protocol.DiagnosisRequest:
		m.diagnosed(c, p, msg)
	case protocol.RelayRequest:
		m.wantRelay(c, p, msg.Reason)
	case protocol.RelayStopRequest:
		if c.relay != relayOff {
			c.relay = relayOff
			m.do(closeRelay{c})
			m.tell(peer, protocol.RelayStopMessage{CallID: c.id})
			m.bothChanged(c)
		}
	}
}

// reached takes note of where a party says that it can be reached.
func (m *machine) reached(c *call, p *party, at protocol.Addresses) {
	end := &c.ends[p.side]
	end.gathered = end.gathered || at.Any
	end.public |= at.Public
	for _, ip := range at.IPs {
		m.do(reached{c, p, ip})
	}
}

// wantRelay opens the relay for a call, once; by is nil when the server asks.
func (m *machine) wantRelay(c *call, by *party, reason string) {
	if c.relay != relayOff {
		return // both ends may ask at the same moment: one relayStart serves both
	}
	if m.relayMode == "off" {
		m.tell(by, protocol.RelayFailedMessage{CallID: c.id, Code: "relay-unavailable", Message: "this server does not relay"})
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
		failed := protocol.RelayFailedMessage{CallID: c.id, Code: "relay-unavailable", Message: e.failed}
		if c.asked != nil {
			m.tell(c.asked, failed)
		} else {
			m.tellBoth(c, failed)
		}
		return
	}
	c.relay = relayOpen
	for side, p := range c.party {
		for i := range protocol.Kinds {
			m.do(muteRelay{c, p, i, *c.media[side].Kind(i)})
		}
	}
	m.tellBoth(c, protocol.RelayStartMessage{CallID: c.id, Reason: c.reason})
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
		m.tellBoth(c, protocol.RelayReadyMessage{CallID: c.id})
	}
}

func (m *machine) relayLost(c *call, words string) {
	c.relay = relayOff
	m.do(closeRelay{c})
	m.tellBoth(c, protocol.RelayFailedMessage{CallID: c.id, Code: "relay-failed", Message: words})
	m.bothChanged(c)
}

func (m *machine) relayAnswered(e relayAnswered) {
	c := e.c
	if c.relay < relayOpen || e.room != c.room {
		return
	}
	switch {
	case e.failed && c.answered[e.to.side]: // what was agreed before goes on
		m.refuse(e.to, protocol.BadMessage.Because("the relay cannot answer this offer"))
		return
	case e.failed:
		m.relayLost(c, "the relay could not answer")
		return
	}
	c.answered[e.to.side] = true
	if end := &c.ends[e.to.side]; end.legAt.IsZero() {
		end.legAt = m.now
	}
	m.tell(e.to, protocol.AnswerMessage{Answer: e.answer, Sender: protocol.RelayName, SenderID: protocol.RelayName, CallID: c.id})
}
