package signaling

// This file takes events through the rules of calls, and carries out what they
// decide.

import (
	"bytes"
	"context"
	"time"

	"duet/signaling/call"
	"duet/signaling/protocol"
)

// apply takes events through the rules until nothing is left to do.
func (h *Hub) apply(e call.Event) {
	h.events = append(h.events, e)
	if h.stepping {
		return // the loop below is ours already: an effect led to an event
	}
	h.stepping = true
	for i := 0; i < len(h.events); i++ { // more may be added meanwhile
		for _, effect := range h.machine.Step(time.Now(), h.events[i]) {
			call.Carry(effect, carrier{h})
		}
	}
	clear(h.events)
	h.events = h.events[:0]
	h.stepping = false
}

// carrier does what the rules want. Nothing here blocks; h.mu is held.
type carrier struct{ *Hub }

func (h carrier) Deliver(e call.Deliver) {
	if s := h.sessions[e.To.ID]; s != nil {
		s.send(e.Msg)
	}
}

func (h carrier) Refuse(e call.Refuse) {
	if s := h.sessions[e.To.ID]; s != nil && s.conn != nil {
		h.refuse(s.conn, h.replyTo, e.Why, 0)
	}
}

func (h carrier) Changed(e call.Changed) {
	if s := h.sessions[e.User.ID]; s != nil {
		h.roster.set(s.entry, s.Status())
		h.markDirty(s)
	}
}

func (h carrier) StartRingTimer(e call.StartRingTimer) {
	h.after(e.Call, h.cfg.RingTimeout, call.RingTimeout(e))
}

func (h carrier) StartDiagnosisTimer(e call.StartDiagnosisTimer) {
	h.after(e.Call, call.DiagnosisWait, call.DiagnosisTimeout(e))
}

func (h carrier) StopTimer(e call.StopTimer) {
	if t := h.timers[e.Call]; t != nil {
		t.Stop()
		delete(h.timers, e.Call)
	}
}

func (h carrier) GatherEvidence(e call.GatherEvidence) {
	h.apply(call.EvidenceGathered{Call: e.Call, Evidence: h.evidence(e.Call)})
}

func (h carrier) Begun(e call.Begun) {
	c := e.Call
	h.log.Info("call accepted", "call", c.ID, "caller", c.Party[0].ID, "callee", c.Party[1].ID)
	h.metrics.calls.Inc()
	if h.turn == nil {
		return
	}
	h.turn.CallStarted(c.ID, c.Party[0].ID, c.Party[1].ID)
	for _, p := range c.Party {
		if s := h.sessions[p.ID]; s != nil && s.conn != nil {
			h.turn.Candidate(c.ID, p.ID, s.conn.ip.String())
		}
	}
}

func (h carrier) Finished(e call.Finished) {
	h.metrics.outcomes.WithLabelValues(e.Outcome).Inc()
	c := e.Call
	if c == nil {
		return
	}
	h.past.call(c.ID, time.Now().Add(h.cfg.RestoreWindow))
	if c.Started.IsZero() {
		return
	}
	h.metrics.calls.Dec()
	h.log.Info("call ended", "call", c.ID, "reason", e.Outcome, "path", c.LastPath, "seconds", int(time.Since(c.Started).Seconds()))
	if h.turn != nil {
		h.turn.CallEnded(c.ID)
	}
}

func (h carrier) NoteCandidate(e call.NoteCandidate) {
	if h.turn != nil {
		h.turn.Candidate(e.Call.ID, e.By.ID, e.Address)
	}
}

func (h carrier) OpenRelay(e call.OpenRelay) {
	c, gen := e.Call, e.Call.RelayGen
	err := h.relay.Open(c.ID, func(event, detail string) {
		// On a goroutine of the relay's, which may hold locks of its own.
		if event == "ready" {
			h.post(call.RelayReady{Call: c, Gen: gen})
		} else {
			h.post(call.RelayLost{Call: c, Gen: gen, Detail: detail})
		}
	})
	failed := ""
	if err != nil {
		failed = err.Error()
		h.log.Warn("relay refused a call", "call", c.ID, "err", err)
	}
	h.apply(call.RelayOpened{Call: c, Gen: gen, Failed: failed})
}

func (h carrier) CloseRelay(e call.CloseRelay) { h.relay.Close(e.Call.ID) }

func (h carrier) Mute(e call.Mute) { h.relay.Mute(e.Call.ID, e.By.ID, e.Kind, e.On) }

func (h carrier) RelayCandidate(e call.RelayCandidate) {
	if err := h.relay.Candidate(e.Call.ID, e.By.ID, string(e.Candidate)); err != nil {
		h.log.Debug("relay refused a candidate", "call", e.Call.ID, "err", err)
	}
}

// Negotiate asks the relay on a goroutine of the call, as it takes time, and
// takes the result to the rules as an event, which may still refuse the offer.
func (h carrier) Negotiate(e call.Negotiate) {
	c, hd := e.Call, h.replyTo
	answered := call.RelayAnswered{Call: c, Gen: c.RelayGen, To: e.By}
	hd.Ref = bytes.Clone(hd.Ref) // of a frame
	h.registry.running.Add(1)    // the party's reader, which brought the offer, holds one
	go func() {
		defer h.registry.running.Done()
		ctx, cancel := context.WithTimeout(context.Background(), relayAnswerTime)
		defer cancel()
		answer, err := h.relay.Answer(ctx, c.ID, e.By.ID, e.SDP)
		switch {
		case err != nil:
			h.log.Warn("relay could not answer", "call", c.ID, "err", err)
		case answer == "":
			return // the newer offer is answered
		default:
			answered.Answer = protocol.AnswerInit(answer)
		}
		h.mu.Lock()
		defer h.unlock()
		h.replyTo = hd
		h.apply(answered)
		h.replyTo = protocol.Header{}
	}()
}

const relayAnswerTime = 10 * time.Second

func (h carrier) MediaConnected(e call.MediaConnected) { h.metrics.mediaConnected(e.Report) }
func (h carrier) MediaStats(e call.MediaStats)         { h.metrics.mediaStats(e.Report) }

// after gives a call its timer.
func (h *Hub) after(c *call.Call, d time.Duration, e call.Event) {
	h.timers[c] = time.AfterFunc(d, func() {
		h.mu.Lock()
		defer h.unlock()
		h.apply(e)
	})
}

// rang is told by a writer that incomingCalls have been written.
func (h *Hub) rang(calls []string) {
	h.mu.Lock()
	defer h.unlock()
	for _, id := range calls {
		h.apply(call.Ringing{CallID: id})
	}
}

func (h *Hub) ice(s *session) protocol.ICEServers {
	if h.turn == nil {
		return protocol.ICEServers{}
	}
	host := ""
	if s.conn != nil {
		host = s.conn.host
	}
	urls, username, credential, expires := h.turn.ICEServers(s.ID, host)
	ice := protocol.ICEServers{Username: username, Credential: credential, Expires: expires}
	for _, u := range urls {
		if len(u) > 5 && u[:5] == "stun:" {
			ice.STUN = append(ice.STUN, u)
		} else {
			ice.TURN = append(ice.TURN, u)
		}
	}
	return ice
}
