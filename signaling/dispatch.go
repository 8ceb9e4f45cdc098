package signaling

// This file takes a client's frames to what they ask for.

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"duet/signaling/call"
	"duet/signaling/protocol"
	"duet/signaling/socketio"
)

// maxRefused is how many messages in a row may be over the rate before the
// connection is closed.
const maxRefused = 1000

// message is one as it was read: what is wrong with its fields is told after what
// is wrong with its number, or with its time.
type message struct {
	protocol.Header
	req           protocol.Request
	why, fieldWhy protocol.Refusal
	wait          time.Duration       // for the rate
	fields        [16]protocol.Member // room for usually all of them
}

// messages are used over and over: their fields go where the compiler cannot follow.
var messages = sync.Pool{New: func() any { return new(message) }}

// receive takes a message of c's: what can be said of it without the lock, is.
func (h *Hub) receive(c *conn, data []byte) { h.take(c, data, nil) }

// take takes a message: data, or else an event of Socket.IO.
func (h *Hub) take(c *conn, data []byte, e *socketio.Event) {
	m := messages.Get().(*message)
	now := time.Now()
	m.wait = c.limited(now)
	h.read(m, data, e)
	h.doAt(now, func(st *step) {
		st.reader, st.asker, st.asked = c, c, m.Header
		st.handle(c, m)
	})
	*m = message{}
	messages.Put(m)
}

// read decodes a message, and verifies what is signed in it.
func (h *Hub) read(m *message, data []byte, e *socketio.Event) {
	m.why, m.Number = protocol.Internal, -1 // unless what follows says otherwise
	defer h.endFault("read a message")
	var fields protocol.Fields
	var why protocol.Refusal
	if e != nil {
		m.Header, fields, why = protocol.ParseEvent(e.Name, e.Rest, e.Clean, m.fields[:0])
	} else {
		m.Header, fields, why = protocol.Parse(data, m.fields[:0])
	}
	if m.wait > 0 {
		why = protocol.RateLimited
	}
	if why == protocol.OK {
		m.req, m.fieldWhy = m.Decode(fields)
		h.verify(m)
	}
	m.why = why
}

// verify looks at the token of a message that has one.
func (h *Hub) verify(m *message) {
	switch req := m.req.(type) {
	case protocol.JoinRequest:
		join := joinRequest{JoinRequest: req}
		if m.fieldWhy == protocol.OK {
			join.pass, m.fieldWhy = h.tokens.Load().Check(req.Token)
		}
		if join.pass.Name != "" {
			join.Username = join.pass.Name
		}
		m.req = join
	case protocol.ResumeRequest:
		resume := resumeRequest{ResumeRequest: req}
		if resume.claims, resume.signed = h.signer.verify(req.Session); resume.signed && req.Token != "" {
			resume.pass, _ = h.tokens.Load().Check(req.Token) // one that is no good changes nothing
		}
		m.req = resume
	}
}

// handle takes a message through what may be wrong with it, in the order in which
// clients are told: its form, its number, its time, its fields.
func (st *step) handle(c *conn, m *message) {
	hd, why, s := &m.Header, m.why, c.session
	if c.isClosing() {
		return
	}
	st.metrics.received(hd.Number)
	if s != nil {
		s.proven = true
	}
	if s != nil && s.Features.Has(protocol.FeatureResume) && why != protocol.BadJSON {
		switch {
		case hd.Number < 0 || hd.Scope().Has(protocol.Sequenced):
			var repeated bool
			if repeated, why = s.count(hd, why); repeated {
				return
			}
		case hd.Scope().Has(protocol.Joined) && why == protocol.OK: // ping
			if hd.BadSeq || !s.acknowledge(hd.Ack) {
				why = protocol.BadMessage.Because("ack was never sent")
			}
		}
	}
	if why == protocol.OK {
		why = st.dispatch(c, m)
	}
	if why != protocol.OK {
		st.refuse(c, *hd, why, m.wait)
	}
}

// count keeps the client's numbers: a repeated message is dropped, a gap is
// refused, anything else counts as processed, whatever comes of it.
func (s *session) count(hd *protocol.Header, why protocol.Refusal) (repeated bool, _ protocol.Refusal) {
	if hd.BadSeq {
		return false, protocol.BadMessage.Because("seq and ack must be whole numbers")
	}
	if hd.HasSeq {
		switch {
		case hd.Seq <= s.recvSeq:
			s.acknowledge(hd.Ack)
			return true, protocol.OK
		case hd.Seq > s.recvSeq+1:
			return false, protocol.BadMessage.Because("a message before this one is missing: seq has a gap")
		}
		s.recvSeq = hd.Seq
	}
	if !s.acknowledge(hd.Ack) && why == protocol.OK {
		why = protocol.BadMessage.Because("ack was never sent")
	}
	return false, why
}

// limited takes one frame from the budgets of the user and of the address, and
// says how long to wait when one is spent.
func (c *conn) limited(now time.Time) time.Duration {
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
	if c.limited(time.Now()) == 0 {
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
	c.flooded.Store(true)
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
func (st *step) refuse(c *conn, hd protocol.Header, why protocol.Refusal, wait time.Duration) {
	st.metrics.refused(why.Code)
	m := protocol.ErrorMessage{Code: why.Code, Message: why.Message, Request: protocol.TypeEcho(hd.Type), Ref: hd.Ref}
	if why.Code == protocol.RateLimited.Code {
		m.RetryAfterMs = max(1, wait.Milliseconds())
		if c.overRate() {
			return
		}
	}
	if c.session != nil {
		st.send(c.session, m)
	} else {
		st.sendLoose(c, m)
	}
}

// dispatch does what a message asks for.
func (st *step) dispatch(c *conn, m *message) protocol.Refusal {
	s, scope := c.session, m.Scope()
	if join, is := m.req.(joinRequest); is && c.recovered && m.fieldWhy == protocol.OK && protocol.FoldName(join.Username) == s.Key {
		st.rejoin(c)
		return protocol.OK
	}
	switch {
	case m.Number < 0:
		return protocol.UnknownType
	case s != nil && !scope.Has(protocol.Joined):
		return protocol.AlreadyJoined
	case s == nil && !scope.Has(protocol.Unjoined):
		return protocol.NotJoined
	case m.fieldWhy != protocol.OK:
		return m.fieldWhy
	}
	if wait := st.paced(c, m.req); wait > 0 {
		st.refuse(c, st.asked, protocol.RateLimited, wait)
		return protocol.OK
	}
	switch req := m.req.(type) {
	case protocol.PongRequest: // we never ask
	case protocol.PingRequest:
		pong := protocol.PongMessage{T: req.T}
		if s != nil && s.Features.Has(protocol.FeatureResume) {
			pong.Ack, pong.HasAck = s.recvSeq, true
		}
		st.sendLoose(c, pong)
	case joinRequest:
		return st.join(c, req)
	case resumeRequest:
		return st.resume(c, req)
	case protocol.LeaveRequest:
		st.end(s, protocol.CloseNormal, "goodbye")
	case protocol.ICEServersRequest:
		st.send(s, protocol.ICEServersMessage{ICE: st.iceServers(s)})
	default:
		st.received = call.Received{From: &s.User, Msg: req}
		st.apply(&st.received)
	}
	return protocol.OK
}
