package signaling

// This file brings sessions back: on a new connection, and after a restart of
// the server from what their token says.

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"golang.org/x/time/rate"

	"duet/signaling/call"
	"duet/signaling/protocol"
)

func (h *Hub) newSession(id, name string, f protocol.Features, limit *rate.Limiter) *session {
	s := &session{hub: h, limit: limit, epoch: newEpoch()}
	s.ID, s.Name, s.Key, s.Features = id, name, protocol.FoldName(name), f
	h.sessions[id] = s
	h.machine.Add(&s.User)
	s.entry = h.roster.add(id, name, s.Status())
	h.metrics.sessions.Inc()
	return s
}

// newEpoch tells one life of a session's numbering from another.
func newEpoch() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:]) >> 11
}

// resume gives a session a new connection; h.mu is held.
func (h *Hub) resume(c *conn, req protocol.ResumeRequest) protocol.Refusal {
	cl, good := h.signer.verify(req.Session)
	if !good || !cl.Features.Has(protocol.FeatureResume) {
		return protocol.SessionExpired
	}
	s := h.sessions[cl.ID]
	if s == nil {
		var why protocol.Refusal
		if s, why = h.restore(c, cl); why != protocol.OK {
			return why
		}
	} else if !s.Features.Has(protocol.FeatureResume) || s.AwaitingRestore && h.stale(cl) {
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
		h.back(s, cl)
	}
	if old := s.conn; old != nil {
		h.detach(s)
		old.close(protocol.CloseTakenOver, "taken over by a newer connection")
	}
	if s.expires != nil {
		s.expires.Stop()
		s.expires = nil
	}
	s.proven = true
	h.attach(s, c)
	s.welcome(true, !known)
	h.roster.attach(c, s.Features)
	s.replay()
	h.metrics.resumed(known)
	h.log.Info("session resumed", "id", s.ID, "restored", !known)
	return protocol.OK
}

// restore re-creates what a token of an earlier process knew.
func (h *Hub) restore(c *conn, cl claims) (*session, protocol.Refusal) {
	if _, ended := h.past.sessions[cl.ID]; ended {
		return nil, protocol.SessionExpired
	}
	if h.stale(cl) || h.cfg.ResumeGrace == 0 {
		return nil, protocol.SessionExpired
	}
	if h.machine.Named(protocol.FoldName(cl.Name)) != nil {
		return nil, protocol.SessionExpired // somebody took the name meanwhile
	}
	if cl.Call != nil {
		if _, ended := h.past.calls[cl.Call.ID]; ended {
			return nil, protocol.SessionExpired
		}
	}
	s := h.newSession(cl.ID, cl.Name, cl.Features, c.limit)
	if cl.Call == nil {
		return s, protocol.OK
	}
	peer := h.sessions[cl.Call.PeerID]
	if peer == nil && h.machine.Named(protocol.FoldName(cl.Call.PeerName)) == nil {
		// Until the other party comes its place is kept, and messages for it.
		peer = h.newSession(cl.Call.PeerID, cl.Call.PeerName, cl.Call.PeerFeatures|protocol.FeatureResume, rate.NewLimiter(rate.Limit(h.cfg.Rate), h.cfg.Burst))
		peer.AwaitingRestore, peer.proven = true, true
		h.await(peer)
	}
	e := call.Restored{User: &s.User, Snapshot: cl.Call}
	if peer != nil {
		e.Peer = &peer.User
	}
	h.apply(e)
	return s, protocol.OK
}

// stale reports a token that is too old to bring anything back.
func (h *Hub) stale(cl claims) bool {
	return time.Since(time.UnixMilli(cl.Issued)) > h.cfg.RestoreWindow
}

// back is the other party of a restored call, come at last.
func (h *Hub) back(s *session, cl claims) {
	s.Features = cl.Features
	h.apply(call.Returned{User: &s.User, Snapshot: cl.Call})
}
