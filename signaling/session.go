package signaling

// This file is one user's presence: it outlives its connections for the grace
// period and keeps what has been sent until the client acknowledges it.

import (
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"duet/signaling/call"
	"duet/signaling/protocol"
)

// session is a user who is here. Hub.mu guards all of it.
type session struct {
	call.User
	conn    *conn // nil: the connection is lost, or has not come back since a restart
	entry   *entry
	limit   *rate.Limiter
	ended   bool
	from    netip.Addr // where it joined from
	proven  bool       // the client has had its welcome, as something it sent shows
	dirty   bool       // its token is older than its state
	renewed time.Time

	epoch   uint64 // numbers start anew in each
	sent    uint64 // the last number given
	heard   uint64 // the last number processed from the client
	outbox  []kept // sent, not acknowledged
	kept    int    // bytes of it
	expires *time.Timer
}

// kept is a numbered message.
type kept struct {
	seq uint64
	protocol.Frame
}

// send numbers a message, keeps it, and gives it to the connection if there is one.
func (st *step) send(s *session, m protocol.Message) {
	if s.ended {
		return
	}
	o := m.Append(st.scratch[:0])
	numbered := s.Features.Has(protocol.FeatureResume)
	if numbered {
		s.sent++
		o = o.Uint("seq", s.sent).Uint("ack", s.heard)
	}
	o = append(o, '}')
	st.scratch = o
	f := protocol.Frame{Data: append(make([]byte, 0, len(o)), o...), Size: len(o)}
	if in, is := m.(protocol.IncomingCallMessage); is {
		f.Rings = in.CallID
	}
	st.metrics.sent(o)
	if numbered {
		if st.full(s) {
			st.overflow(s)
			return
		}
		s.outbox = append(s.outbox, kept{s.sent, f})
		s.kept += f.Size
	}
	if c := s.conn; c != nil {
		st.touch(c)
		if !c.push(f) {
			st.tooSlow(s)
			return
		}
	}
	if numbered && st.full(s) && s.conn != nil {
		s.conn.close(protocol.CloseTooSlow, "too much is unacknowledged")
		st.tooSlow(s)
	}
}

func (h *Hub) full(s *session) bool {
	return len(s.outbox) >= h.cfg.OutboxMessages || s.kept >= h.cfg.OutboxBytes
}

// sendUnnumbered sends what is not kept, if there is a connection.
func (st *step) sendUnnumbered(s *session, m protocol.Unnumbered) {
	if s.conn != nil {
		st.sendLoose(s.conn, m)
	}
}

// sendLoose sends a message outside any session's numbering.
func (st *step) sendLoose(c *conn, m protocol.Message) {
	o := append(m.Append(nil), '}')
	c.push(protocol.Frame{Data: o, Size: len(o)})
	st.touch(c)
}

// acknowledge forgets what the client has. It reports whether that was ever sent.
func (s *session) acknowledge(ack uint64) bool {
	if ack > s.sent {
		return false
	}
	n := 0
	for n < len(s.outbox) && s.outbox[n].seq <= ack {
		s.kept -= s.outbox[n].Size
		s.outbox[n] = kept{}
		n++
	}
	if s.outbox = s.outbox[n:]; len(s.outbox) == 0 {
		s.outbox = nil
	}
	return true
}

// begun reports whether the client has taken part in this epoch's numbering.
func (s *session) begun() bool {
	return s.heard > 0 || s.sent > uint64(len(s.outbox))
}

// replay gives a new connection everything that is not acknowledged.
func (s *session) replay() {
	for _, k := range s.outbox {
		s.conn.push(k.Frame)
	}
}
