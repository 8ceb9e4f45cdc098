package signaling

// This file carries out what the rules of calls decide, but for the relay. A step
// is their carrier: what takes time is left until the lock is released.

import (
	"log/slog"
	"time"

	"duet/signaling/call"
	"duet/signaling/protocol"
)

// Deliver implements [call.Carrier].
func (st *step) Deliver(e call.Deliver) {
	s, is := e.To.Session.(*session)
	if !is {
		return // the echo user
	}
	if over, is := e.Msg.(protocol.CallEndedMessage); is && s.unring(over.CallID) {
		return // of a call that this client has not heard of
	}
	st.send(s, e.Msg)
}

// catchUpTime is how long a sender waits when the receiver does not keep up.
const catchUpTime = time.Second

// Refuse implements [call.Carrier].
func (st *step) Refuse(e call.Refuse) {
	if s := st.sessions[e.To.ID]; s != nil && s.conn != nil {
		st.refuse(s.conn, st.asked, e.Why, catchUpTime)
	}
}

// Changed implements [call.Carrier].
func (st *step) Changed(e call.Changed) {
	if s := st.sessions[e.User.ID]; s != nil {
		st.roster.Set(s.entry, s.Status(), st.now)
		st.markDirty(s)
	}
}

// StartRingTimer implements [call.Carrier].
func (st *step) StartRingTimer(e call.StartRingTimer) {
	st.after(e.Call, st.cfg.RingTimeout, call.RingTimeout(e))
}

// StartDiagnosisTimer implements [call.Carrier].
func (st *step) StartDiagnosisTimer(e call.StartDiagnosisTimer) {
	st.after(e.Call, call.DiagnosisWait, call.DiagnosisTimeout(e))
}

// StartRelayTimer implements [call.Carrier].
func (st *step) StartRelayTimer(e call.StartRelayTimer) {
	h := st.Hub
	time.AfterFunc(call.RelayWait, func() { h.do(func(st *step) { st.apply(call.RelayUnmet(e)) }) })
}

// after gives a call its timer.
func (st *step) after(c *call.Call, d time.Duration, e call.Event) {
	h := st.Hub
	h.timers[c] = time.AfterFunc(d, func() { h.do(func(st *step) { st.apply(e) }) })
}

// StartEchoTimer implements [call.Carrier].
func (st *step) StartEchoTimer(e call.StartEchoTimer) {
	st.after(e.Call, e.After, call.EchoTimeout{Call: e.Call})
}

// StopTimer implements [call.Carrier].
func (st *step) StopTimer(e call.StopTimer) {
	if t := st.timers[e.Call]; t != nil {
		t.Stop()
		delete(st.timers, e.Call)
	}
}

// GatherEvidence implements [call.Carrier].
func (st *step) GatherEvidence(e call.GatherEvidence) { st.evidence = append(st.evidence, e.Call) }

// Begun implements [call.Carrier].
func (st *step) Begun(e call.Begun) {
	c := e.Call
	st.logLater(slog.LevelInfo, "call accepted", "call", c.ID, "caller", c.Party[0].ID, "callee", c.Party[1].ID)
	st.metrics.calls.Inc()
	if st.turn == nil {
		return
	}
	st.turn.CallStarted(c.ID, c.Party[0].ID, c.Party[1].ID)
	for _, p := range c.Party {
		if s := st.sessions[p.ID]; s != nil && s.conn != nil && !st.hidesAddresses() {
			st.turn.Seen(c.ID, p.ID, s.conn.ip.String())
		}
	}
}

// hidesAddresses reports whether the operator hides the parties' addresses from each other. TURN would tell them to
// whoever asks for a permission for one after the other.
func (h *Hub) hidesAddresses() bool { return h.relayMode == "always" }

// Finished implements [call.Carrier].
func (st *step) Finished(e call.Finished) {
	st.metrics.outcomes.WithLabelValues(e.Outcome).Inc()
	c := e.Call
	if c == nil {
		return
	}
	if c.Party[0].Features.Has(protocol.FeatureResume) || c.Party[1].Features.Has(protocol.FeatureResume) {
		st.past.add(c.ID, st.now) // a token may know it
	}
	if c.Started.IsZero() {
		return
	}
	st.metrics.calls.Dec()
	st.logLater(slog.LevelInfo, "call ended", "call", c.ID, "reason", e.Outcome, "path", c.LastPath, "seconds", int(st.now.Sub(c.Started).Seconds()))
	if st.turn != nil {
		st.turn.CallEnded(c.ID)
	}
}

// NoteCandidate implements [call.Carrier].
func (st *step) NoteCandidate(e call.NoteCandidate) {
	if st.turn != nil {
		st.turn.Candidate(e.Call.ID, e.By.ID, e.Address)
	}
}

// MediaConnected implements [call.Carrier].
func (st *step) MediaConnected(e call.MediaConnected) { st.metrics.mediaConnected(e.Report) }

// MediaStats implements [call.Carrier].
func (st *step) MediaStats(e call.MediaStats) { st.metrics.mediaStats(e.Report) }

// iceServers is what TURN gives a session; nothing when it is off.
func (st *step) iceServers(s *session) protocol.ICEServers {
	if st.turn == nil {
		return protocol.ICEServers{}
	}
	host := ""
	if s.conn != nil {
		host = s.conn.host
	}
	urls, username, credential, expires := st.turn.ICEServers(s.ID, host)
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
