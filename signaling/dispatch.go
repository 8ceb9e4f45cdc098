package signaling

// This file takes a client's frames to what they ask for, and carries out what
// the rules decide.

import (
	"runtime/debug"
	"time"

	"golang.org/x/time/rate"

	"duet/signaling/call"
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
	if numbered := hd.Scope().Has(protocol.Sequenced) || hd.Number < 0; s != nil && s.Features.Has(protocol.FeatureResume) && why != protocol.BadJSON && numbered {
		var repeated bool
		if repeated, why = h.count(s, hd, why); repeated {
			return
		}
	} else if s != nil && s.Features.Has(protocol.FeatureResume) && hd.Type == "ping" && why == protocol.OK {
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
		if s != nil && s.Features.Has(protocol.FeatureResume) {
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
		h.apply(call.Received{From: &s.User, Msg: req})
		h.replyTo = protocol.Header{}
	}
	return protocol.OK
}
