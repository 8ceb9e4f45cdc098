package signaling

// This file takes a client's frames to what they ask for, and carries out what
// the rules decide.

import (
	"bytes"
	"context"
	"runtime/debug"
	"time"

	"golang.org/x/time/rate"

	"duet/signaling/protocol"
)

// maxRefused is how many messages in a row may be over the rate before the
// connection is closed.
const maxRefused = 1000

// handle processes one frame of c's reader.
func (h *Hub) handle(c *conn, data []byte) {
	wait := c.limited()
	var room [16]protocol.Member
	hd, f, why := protocol.Parse(data, room[:0])
	if wait > 0 {
		why = protocol.RateLimited
	}
	// The request is read before the lock is taken; what is wrong with it is told
	// after what is wrong with its number, or with its time.
	var req protocol.Request
	var reqWhy protocol.Refusal
	if why == protocol.OK {
		req, reqWhy = hd.Decode(f)
		if join, is := req.(protocol.JoinRequest); is && reqWhy == protocol.OK {
			reqWhy = h.admission.check(&join) // may verify a signature
			req = join
		}
	}

	h.mu.Lock()
	defer h.unlockFor(c)
	defer h.mend(c, &hd)
	s := c.session
	if c.isClosing() {
		return
	}
	h.metrics.received(hd.Number)
	if s != nil {
		s.proven = true
	}
	if numbered := hd.Scope().Has(protocol.Sequenced) || hd.Number < 0; s != nil && s.features.Has(protocol.FeatureResume) && why != protocol.BadJSON && numbered {
		var repeated bool
		if repeated, why = h.count(s, hd, why); repeated {
			return
		}
	} else if s != nil && s.features.Has(protocol.FeatureResume) && hd.Type == "ping" && why == protocol.OK {
		if hd.BadSeq || !s.acknowledge(hd.Ack) {
			why = protocol.BadMessage.Because("ack was never sent")
		}
	}
	if why == protocol.OK {
		why = h.dispatch(c, hd, req, reqWhy)
	}
	if why != protocol.OK {
		h.refuse(c, hd, why, wait)
	}
}

// mend turns a fault of ours into an error at one client, in place of the end of
// everybody's calls.
func (h *Hub) mend(c *conn, hd *protocol.Header) {
	if fault := recover(); fault != nil {
		h.log.Error("a message could not be handled", "type", hd.Type, "fault", fault, "stack", string(debug.Stack()))
		clear(h.events)
		h.events, h.stepping = h.events[:0], false
		h.refuse(c, *hd, protocol.Internal, 0)
	}
}

// count keeps the client's numbers: a repeated message is dropped, a gap is
// refused, anything else counts as processed, whatever comes of it.
func (h *Hub) count(s *session, hd protocol.Header, why protocol.Refusal) (repeated bool, _ protocol.Refusal) {
	if hd.BadSeq {
		return false, protocol.BadMessage.Because("seq and ack must be whole numbers")
	}
	if hd.HasSeq {
		switch {
		case hd.Seq <= s.heard:
			s.acknowledge(hd.Ack)
			return true, protocol.OK
		case hd.Seq > s.heard+1:
			return false, protocol.BadMessage.Because("a message before this one is missing: seq has a gap")
		}
		s.heard = hd.Seq
	}
	if !s.acknowledge(hd.Ack) && why == protocol.OK {
		why = protocol.BadMessage.Because("ack was never sent")
	}
	return false, why
}

// limited takes one frame from the budgets of the user and of the address, and
// says how long to wait when one is spent.
func (c *conn) limited() time.Duration {
	now := time.Now()
	wait := spend(c.limit, now)
	if wait == 0 {
		wait = spend(c.budget, now)
	}
	if wait == 0 && c.refused > 0 {
		c.forgive(now)
	}
	return wait
}

// mayControl reports whether a ping or pong is within the budgets. One that is
// not gets no answer, but counts like a message.
func (c *conn) mayControl() bool {
	if c.limited() == 0 {
		return true
	}
	c.overRate()
	return false
}

// overRate notes a frame over the rate, and closes a connection that has sent
// too many of them.
func (c *conn) overRate() (closed bool) {
	if c.refused++; c.refused < maxRefused {
		return false
	}
	c.close(protocol.ClosePolicy, "rate limit")
	return true
}

// forgive takes refusals back. What trickles through while the budget is spent
// does not interrupt a flood, or a client would have to send a hundred thousand
// messages a second to be closed; one that has paused begins anew.
func (c *conn) forgive(now time.Time) {
	if c.refused--; c.limit.TokensAt(now) >= 1 {
		c.refused = 0
	}
}

func spend(l *rate.Limiter, now time.Time) time.Duration {
	if l.AllowN(now, 1) {
		return 0
	}
	r := l.ReserveN(now, 1)
	defer r.CancelAt(now)
	return max(r.DelayFrom(now), time.Millisecond)
}

// refuse answers with an error; the connection stays usable.
func (h *Hub) refuse(c *conn, hd protocol.Header, why protocol.Refusal, wait time.Duration) {
	h.metrics.refused(why.Code)
	m := protocol.ErrorMessage{Code: why.Code, Message: why.Message, Request: protocol.TypeEcho(hd.Type), Ref: hd.Ref}
	if why.Code == protocol.RateLimited.Code {
		m.RetryAfterMs = max(1, wait.Milliseconds())
		if c.overRate() {
			return
		}
	}
	if c.session != nil {
		c.session.send(m)
	} else {
		c.sendLoose(m)
	}
}

// dispatch handles a message; h.mu is held.
func (h *Hub) dispatch(c *conn, hd protocol.Header, req protocol.Request, why protocol.Refusal) protocol.Refusal {
	s, scope := c.session, hd.Scope()
	switch {
	case hd.Number < 0:
		return protocol.UnknownType
	case s != nil && !scope.Has(protocol.Joined):
		return protocol.AlreadyJoined
	case s == nil && !scope.Has(protocol.Unjoined):
		return protocol.NotJoined
	case why != protocol.OK:
		return why
	}
	switch req := req.(type) {
	case protocol.PongRequest: // we never ask
	case protocol.PingRequest:
		m := protocol.PongMessage{T: req.T}
		if s != nil && s.features.Has(protocol.FeatureResume) {
			m.Ack, m.HasAck = s.heard, true
		}
		c.sendLoose(m)
	case protocol.JoinRequest:
		return h.join(c, req)
	case protocol.ResumeRequest:
		return h.resume(c, req)
	case protocol.LeaveRequest:
		h.end(s, protocol.CloseNormal, "goodbye")
	case protocol.ICEServersRequest:
		s.send(protocol.ICEServersMessage{ICE: h.ice(s)})
	default:
		h.replyTo = hd
		h.apply(said{&s.party, req})
		h.replyTo = protocol.Header{}
	}
	return protocol.OK
}

// apply takes events through the rules until nothing is left to do.
func (h *Hub) apply(e any) {
	h.events = append(h.events, e)
	if h.stepping {
		return // the loop below is ours already: an effect led to an event
	}
	h.stepping = true
	for i := 0; i < len(h.events); i++ { // more may be added meanwhile
		for _, fx := range h.machine.step(time.Now(), h.events[i]) {
			h.carry(fx)
		}
	}
	clear(h.events)
	h.events = h.events[:0]
	h.stepping = false
}

// carry does one thing that the rules want. Nothing here blocks.
func (h *Hub) carry(fx effect) {
	switch fx := fx.(type) {
	case deliver:
		if s := h.sessions[fx.to.id]; s != nil {
			s.send(fx.msg)
		}
	case refuse:
		if s := h.sessions[fx.to.id]; s != nil && s.conn != nil {
			h.refuse(s.conn, h.replyTo, fx.why, 0)
		}
	case changed:
		if s := h.sessions[fx.p.id]; s != nil {
			h.roster.set(s.entry, s.status())
			h.markDirty(s)
		}
	case startRinging:
		h.after(fx.c, h.cfg.RingTimeout, rangOut(fx))
	case awaitDiagnosis:
		h.after(fx.c, diagnosisTime, diagnosisDue(fx))
	case stopTimer:
		if t := h.timers[fx.c]; t != nil {
			t.Stop()
			delete(h.timers, fx.c)
		}
	case gatherFacts:
		h.apply(evident{fx.c, h.facts(fx.c)})
	case judged:
		h.judged(fx)
	case begun:
		h.begun(fx.c)
	case finished:
		h.finished(fx.c, fx.outcome)
	case reached:
		if h.turn != nil {
			h.turn.Candidate(fx.c.id, fx.by.id, fx.ip)
		}
	case openRelay:
		h.openRelay(fx.c)
	case closeRelay:
		h.relay.Close(fx.c.id)
	case muteRelay:
		h.relay.Mute(fx.c.id, fx.by.id, protocol.Kinds[fx.kind], fx.on)
	case candidateRelay:
		if err := h.relay.Candidate(fx.c.id, fx.by.id, string(fx.candidate)); err != nil {
			h.log.Debug("relay refused a candidate", "call", fx.c.id, "err", err)
		}
	case askRelay:
		h.askRelay(fx.c, fx.by, fx.sdp)
	case reported:
		h.metrics.reported(fx)
	}
}

// after gives a call its timer.
func (h *Hub) after(c *call, d time.Duration, e any) {
	h.timers[c] = time.AfterFunc(d, func() {
		h.mu.Lock()
		defer h.unlock()
		h.apply(e)
	})
}

func (h *Hub) begun(c *call) {
	h.log.Info("call accepted", "call", c.id, "caller", c.party[0].id, "callee", c.party[1].id)
	h.metrics.calls.Inc()
	if h.turn == nil {
		return
	}
	h.turn.CallStarted(c.id, c.party[0].id, c.party[1].id)
	for _, p := range c.party {
		if s := h.sessions[p.id]; s != nil && s.conn != nil {
			h.turn.Candidate(c.id, p.id, s.conn.ip.String())
		}
	}
}

func (h *Hub) finished(c *call, outcome string) {
	h.metrics.outcomes.WithLabelValues(outcome).Inc()
	if c == nil {
		return
	}
	h.past.call(c.id, time.Now().Add(h.cfg.RestoreWindow))
	if c.started.IsZero() {
		return
	}
	h.metrics.calls.Dec()
	h.log.Info("call ended", "call", c.id, "reason", outcome, "path", c.lastPath, "seconds", int(time.Since(c.started).Seconds()))
	if h.turn != nil {
		h.turn.CallEnded(c.id)
	}
}

func (h *Hub) openRelay(c *call) {
	room := c.room
	err := h.relay.Open(c.id, func(event, detail string) {
		// On a goroutine of the relay's, which may hold locks of its own.
		h.post(relayEvent{c: c, room: room, ready: event == "ready", detail: detail})
	})
	failed := ""
	if err != nil {
		failed = err.Error()
		h.log.Warn("relay refused a call", "call", c.id, "err", err)
	}
	h.apply(relayOpened{c, failed})
}

// askRelay negotiates on a goroutine of the call, as it takes time, and posts
// the result back as an event, which may still refuse the offer.
func (h *Hub) askRelay(c *call, p *party, offer string) {
	room, hd := c.room, h.replyTo
	hd.Ref = bytes.Clone(hd.Ref) // of a frame
	h.registry.running.Add(1)    // p's reader, which brought the offer, holds one
	go func() {
		defer h.registry.running.Done()
		ctx, cancel := context.WithTimeout(context.Background(), relayAnswerTime)
		defer cancel()
		answer, err := h.relay.Answer(ctx, c.id, p.id, offer)
		if answer == "" && err == nil {
			return // the newer offer is answered
		}
		e := relayAnswered{c: c, room: room, to: p, failed: err != nil}
		if err != nil {
			h.log.Warn("relay could not answer", "call", c.id, "err", err)
		} else {
			e.answer = protocol.AnswerInit(answer)
		}
		h.mu.Lock()
		defer h.unlock()
		h.replyTo = hd
		h.apply(e)
		h.replyTo = protocol.Header{}
	}()
}

const relayAnswerTime = 10 * time.Second

// rang is told by a writer that incomingCalls have been written.
func (h *Hub) rang(calls []string) {
	h.mu.Lock()
	defer h.unlock()
	for _, id := range calls {
		h.apply(rang{id})
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
	urls, username, credential, expires := h.turn.ICEServers(s.id, host)
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
