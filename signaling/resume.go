package signaling

// This file brings sessions back: on a new connection, and after a restart of
// the server from what their token says.

import (
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"duet/signaling/call"
	"duet/signaling/join"
	"duet/signaling/protocol"
)

func (h *Hub) newSession(id, name string, f protocol.Features, limit *rate.Limiter) *session {
	s := &session{limit: limit, epoch: newEpoch(), kept: &h.absent.kept}
	s.Session = s
	s.ID, s.Name, s.Key, s.Features = id, name, protocol.FoldName(name), f
	h.sessions[id] = s
	h.machine.Add(&s.User)
	s.entry = h.roster.Add(id, name, h.machine.LooksLikeAnother(&s.User), s.Status())
	h.metrics.sessions.Inc()
	return s
}

// newEpoch tells one life of a session's numbering from another.
func newEpoch() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:]) >> 11
}

// resumeRequest is a request to resume whose token has been looked at.
type resumeRequest struct {
	protocol.ResumeRequest
	claims claims
	signed bool      // by us
	pass   join.Pass // of its join token, if that is good
}

// resume gives a session a new connection.
func (st *step) resume(c *conn, req resumeRequest) protocol.Refusal {
	cl := req.claims
	if !req.signed || !cl.Features.Has(protocol.FeatureResume) {
		return protocol.SessionExpired
	}
	if req.pass.Subject == cl.Subject && !req.pass.Until.IsZero() {
		cl.Until = max(cl.Until, req.pass.Until.UnixMilli())
	}
	s := st.sessions[cl.ID]
	if s == nil {
		var why protocol.Refusal
		if s, why = st.restore(c, cl); why != protocol.OK {
			return why
		}
	} else if !s.Features.Has(protocol.FeatureResume) || s.AwaitingRestore && (st.stale(cl) || cl.Mode != st.tokens.Load().Mode()) {
		return protocol.SessionExpired
	}
	// Numbers of another epoch say nothing about ours: its client may begin this
	// one, again if it missed the welcome, but not once it has been begun.
	known := cl.Epoch == s.epoch
	if !known && s.begun() {
		return protocol.SessionExpired
	}
	if known && !s.acknowledge(req.Ack) {
		return protocol.BadMessage.Because("ack was never sent")
	}
	if s.AwaitingRestore {
		st.back(s, cl)
	}
	if until := cl.ends(); until.After(s.until) {
		st.admit(s, cl.Subject, until)
	}
	st.takeOver(s, c)
	st.welcome(s, welcoming{resumed: true, restored: !known, applied: cl.Applied})
	st.watch(c, s.Features)
	s.replay()
	st.metrics.resumed(known)
	st.logLater(slog.LevelInfo, "session resumed", "id", s.ID, "restored", !known)
	return protocol.OK
}

// takeOver gives s another connection.
func (st *step) takeOver(s *session, c *conn) {
	if old := s.conn; old != nil {
		st.detach(s)
		old.close(protocol.CloseTakenOver, "taken over by a newer connection")
	}
	if s.expires != nil {
		s.expires.Stop()
		s.expires = nil
	}
	s.proven = true
	st.attach(s, c)
}

// restore re-creates what a token of an earlier process knew.
func (st *step) restore(c *conn, cl claims) (*session, protocol.Refusal) {
	if st.past.has(cl.ID) {
		return nil, protocol.SessionExpired
	}
	if st.stale(cl) || st.cfg.ResumeGrace == 0 || cl.Mode != st.tokens.Load().Mode() {
		return nil, protocol.SessionExpired
	}
	if until := cl.ends(); !until.IsZero() && !until.After(st.now) {
		return nil, join.Expired()
	}
	if st.machine.Named(protocol.FoldName(cl.Name)) != nil {
		return nil, protocol.SessionExpired // somebody took the name meanwhile
	}
	if cl.Call != nil {
		if st.past.has(cl.Call.ID) {
			return nil, protocol.SessionExpired
		}
	}
	s := st.newSession(cl.ID, cl.Name, cl.Features, c.limit)
	if cl.Call == nil {
		return s, protocol.OK
	}
	peer := st.sessions[cl.Call.PeerID]
	if peer == nil && st.machine.Named(protocol.FoldName(cl.Call.PeerName)) == nil {
		// Until the other party comes its place is kept, and messages for it.
		peer = st.newSession(cl.Call.PeerID, cl.Call.PeerName, cl.Call.PeerFeatures|protocol.FeatureResume, rate.NewLimiter(rate.Limit(st.cfg.Rate), st.cfg.Burst))
		peer.AwaitingRestore, peer.proven = true, true
		st.await(peer, st.cfg.ResumeGrace)
	}
	e := call.Restored{User: &s.User, Snapshot: cl.Call}
	if peer != nil {
		e.Peer = &peer.User
	}
	st.apply(e)
	return s, protocol.OK
}

// stale reports a token that is too old to bring anything back.
func (st *step) stale(cl claims) bool {
	return time.Since(time.UnixMilli(cl.Issued)) > st.cfg.RestoreWindow
}

// back is the other party of a restored call, come at last.
func (st *step) back(s *session, cl claims) {
	s.Features = cl.Features
	st.apply(call.Returned{User: &s.User, Snapshot: cl.Call})
}
