package signaling

// This file is one user's presence: it outlives its connections for the grace
// period and keeps what has been sent until the client acknowledges it.

import (
	"bytes"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"duet/signaling/call"
	"duet/signaling/presence"
	"duet/signaling/protocol"
)

// session is a user who is here. Hub.mu guards all of it.
type session struct {
	call.User
	conn    *conn // nil: the connection is lost, or has not come back since a restart
	entry   *presence.Entry
	limit   *rate.Limiter
	ended   bool
	from    netip.Addr // where it joined from
	proven  bool       // the client has had its welcome, as something it sent shows
	dirty   bool       // its token is older than its state
	renewed time.Time
	subject string      // of the token that it joined with; "": none
	until   time.Time   // when that has expired; zero: never
	expiry  *time.Timer // which ends it then
	rings   pace        // of its own calls
	rung    pace        // of those to it

	epoch       uint64        // numbers start anew in each
	sentSeq     uint64        // the last number given
	recvSeq     uint64        // the last number processed from the client
	outbox      []outboxEntry // sent, not acknowledged
	outboxBytes int           // bytes of it
	kept        *int          // bytes of all outboxes
	expires     *time.Timer
	lastIP      netip.Addr // of its connection, or of the last
	place       *place     // nil: it has a connection

	pid string // by which a Socket.IO client has its session back; "": it cannot, or is none
}

// outboxEntry is a numbered message.
type outboxEntry struct {
	seq    uint64
	unsent bool // no connection has been given it
	protocol.Frame
}

// keeps reports whether the session numbers what it sends, keeps it until the client has it, and waits for a client that
// is away.
func (s *session) keeps() bool { return s.pid != "" || s.Features.Has(protocol.FeatureResume) }

// send numbers a message, keeps it, and gives it to the connection if there is one.
func (st *step) send(s *session, m protocol.Message) {
	if s.ended {
		return
	}
	room := protocol.NewRoom()
	o := m.Append(room.Text[:0])
	numbered := s.keeps()
	if numbered {
		s.sentSeq++
	}
	if s.Features.Has(protocol.FeatureResume) {
		o = o.Uint("seq", s.sentSeq).Uint("ack", s.recvSeq)
	}
	o = append(o, '}')
	room.Text = o
	f := protocol.Frame{Data: o, Size: len(o), Room: room}
	if numbered {
		f.Seq = s.sentSeq
		f.Data, f.Room = bytes.Clone(o), nil // it is kept
		room.GiveBack()
	}
	if in, is := m.(protocol.IncomingCallMessage); is {
		f.Rings = in.CallID
	}
	st.metrics.sent(o)
	if numbered {
		if st.fills(s, 3) {
			st.overflow(s)
			return
		}
		s.outbox = append(s.outbox, outboxEntry{s.sentSeq, s.conn == nil, f})
		s.outboxBytes += f.Size
		if st.keep(f.Size); s.ended {
			return
		}
	}
	if c := s.conn; c != nil {
		st.markPending(c)
		if !c.push(f) {
			st.tooSlow(s)
			return
		}
	}
	if numbered && st.fills(s, 2) && s.conn != nil {
		s.conn.close(protocol.CloseTooSlow, "too much is unacknowledged")
		st.tooSlow(s)
	}
}

// fills reports whether so many halves of what may be kept are. What others cause
// stops at the first (ruleLimits). At the second the connection is closed, and what
// the server itself has to say goes on until the third, which a connection takes
// in one replay.
func (h *Hub) fills(s *session, halves int) bool {
	return len(s.outbox) >= halves*h.cfg.OutboxMessages/2 || s.outboxBytes >= halves*h.cfg.OutboxBytes/2
}

// unring takes back an incomingCall that no connection was given, when its call
// is over. It must be the last message: numbers have no gaps.
func (s *session) unring(call string) (done bool) {
	last := len(s.outbox) - 1
	if last < 0 || !s.outbox[last].unsent || s.outbox[last].Rings != call {
		return false
	}
	s.sentSeq--
	s.outboxBytes -= s.outbox[last].Size
	*s.kept -= s.outbox[last].Size
	s.outbox[last] = outboxEntry{}
	s.outbox = s.outbox[:last]
	return true
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
	st.markPending(c)
}

// acknowledge forgets what the client has. It reports whether that was ever sent.
func (s *session) acknowledge(ack uint64) bool {
	if ack > s.sentSeq {
		return false
	}
	n := 0
	for n < len(s.outbox) && s.outbox[n].seq <= ack {
		s.outboxBytes -= s.outbox[n].Size
		*s.kept -= s.outbox[n].Size
		s.outbox[n] = outboxEntry{}
		n++
	}
	if s.outbox = s.outbox[n:]; len(s.outbox) == 0 {
		s.outbox = nil
	}
	return true
}

// begun reports whether the client has taken part in this epoch's numbering.
func (s *session) begun() bool {
	return s.recvSeq > 0 || s.sentSeq > uint64(len(s.outbox))
}

// replay gives a new connection everything that is not acknowledged.
func (s *session) replay() {
	for i := range s.outbox {
		s.outbox[i].unsent = false
		s.conn.push(s.outbox[i].Frame)
	}
}
