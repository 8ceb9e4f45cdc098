package signaling

// This file brings users in and lets them go: join, resume, the loss of a
// connection, the end of a session, and the end of the server.

import (
	"context"
	"sync"
	"time"

	"duet/signaling/call"
	"duet/signaling/protocol"
)

// join makes a session; h.mu is held.
func (h *Hub) join(c *conn, req protocol.JoinRequest) protocol.Refusal {
	name, good := protocol.CleanName(req.Username)
	if !good {
		return protocol.BadUsername
	}
	key := protocol.FoldName(name)
	if holder := h.machine.Named(key); holder != nil {
		// A client whose first connection broke before its welcome came has no
		// token to come back with. Its place is nobody's, so it may have it.
		s := h.sessions[holder.ID]
		if s.proven || s.conn != nil || s.Call != nil || s.from != c.ip {
			return protocol.UsernameTaken
		}
		h.end(s, 0, "")
	}
	f := protocol.Grant(req.Features)
	if h.cfg.ResumeGrace == 0 {
		f &^= protocol.FeatureResume
	}
	s := h.newSession(protocol.NewID("u_"), name, f, c.limit)
	s.from = c.ip
	h.attach(s, c)
	s.welcome(false, false)
	h.roster.attach(c, f)
	c.push(protocol.Frame{Kind: protocol.Ping, Data: []byte(proof)}) // written with the welcome
	h.log.Info("session joined", "id", s.ID)
	return protocol.OK
}

// proof is the payload of the ping that follows a welcome: its pong shows that
// the welcome came.
const proof = "welcome"

// prove is told by c's reader that this pong came.
func (h *Hub) prove(c *conn) {
	h.mu.Lock()
	defer h.unlock()
	if c.session != nil {
		c.session.proven = true
	}
}

// attach makes c the connection of s.
func (h *Hub) attach(s *session, c *conn) {
	c.joinBy.Stop()
	c.session, c.limit = s, s.limit
	s.conn = c
	if in := s.Call; in != nil && in.Accepted() && h.turn != nil {
		h.turn.Candidate(in.ID, s.ID, c.ip.String())
	}
}

// detach leaves s without a connection.
func (h *Hub) detach(s *session) {
	c := s.conn
	if c == nil {
		return
	}
	h.roster.detach(c)
	c.renewAt.Store(0)
	c.session, s.conn = nil, nil
}

// lost is told by c's reader that the connection is over, and with which code.
func (h *Hub) lost(c *conn, code int) {
	h.mu.Lock()
	defer h.unlock()
	c.joinBy.Stop()
	s := c.session
	if s == nil {
		return
	}
	h.detach(s)
	if code == protocol.CloseNormal && !c.isClosing() {
		h.end(s, 0, "")
	} else {
		h.await(s)
	}
}

// await lets a session live on for the grace, if its client knows how to come back.
func (h *Hub) await(s *session) {
	if !s.Features.Has(protocol.FeatureResume) {
		h.end(s, 0, "")
		return
	}
	if s.expires != nil {
		s.expires.Stop()
	}
	var t *time.Timer
	t = time.AfterFunc(h.cfg.ResumeGrace, func() {
		h.mu.Lock()
		defer h.unlock()
		if s.expires == t && s.conn == nil {
			h.end(s, 0, "")
		}
	})
	s.expires = t
}

// tooSlow takes the connection from a session whose client does not keep up.
func (h *Hub) tooSlow(s *session) {
	h.metrics.tooSlow.Inc()
	h.log.Warn("client reads too slowly", "id", s.ID)
	h.detach(s)
	h.await(s)
}

// overflow ends a session for which there is no room left.
func (h *Hub) overflow(s *session) {
	h.metrics.overflows.Inc()
	h.log.Warn("session outbox overflows", "id", s.ID)
	h.end(s, protocol.CloseEnded, "too much was left unread")
}

// end ends a session; its connection, if any, is closed with code.
func (h *Hub) end(s *session, code uint16, words string) {
	if s.ended {
		return
	}
	s.ended = true
	if c := s.conn; c != nil {
		h.detach(s)
		c.close(code, words)
	}
	if s.expires != nil {
		s.expires.Stop()
	}
	delete(h.sessions, s.ID)
	h.roster.remove(s.entry)
	h.past.session(s.ID, time.Now().Add(h.cfg.RestoreWindow))
	h.metrics.sessions.Dec()
	s.outbox = nil
	h.log.Info("session ended", "id", s.ID)
	h.apply(call.Gone{User: &s.User})
}

// welcome is the first message of every connection.
func (s *session) welcome(resumed, restored bool) {
	h := s.hub
	m := protocol.WelcomeMessage{
		ID: s.ID, Username: s.Name, ICE: h.ice(s), Relay: h.relayMode, RelayAfterMs: h.relayAfter.Milliseconds(),
		Resumed: resumed, Restored: restored, Ack: s.heard, Features: s.Features, Server: h.about,
	}
	if s.Features.Has(protocol.FeatureResume) {
		m.Session, m.GraceMs = h.token(s), h.cfg.ResumeGrace.Milliseconds()
	}
	if c := s.Call; c != nil {
		peer := c.Other(&s.User)
		m.Call = &protocol.CallState{CallID: c.ID, Role: call.Roles[s.Side], Phase: c.Phase().String(), Peer: peer.Name, PeerID: peer.ID,
			Self: c.Media[s.Side], Other: c.Media[1-s.Side], Relay: c.Relayed()}
	}
	s.sendLoose(m)
}

// past remembers what has ended for as long as a token could bring it back.
// Guarded by Hub.mu.
type past struct {
	sessions, calls map[string]time.Time
}

func (p *past) session(id string, until time.Time) { p.sessions[id] = until }
func (p *past) call(id string, until time.Time)    { p.calls[id] = until }

// forget drops what no token can bring back any more.
func (h *Hub) forget(now time.Time) {
	h.mu.Lock()
	defer h.unlock()
	for _, m := range []map[string]time.Time{h.past.sessions, h.past.calls} {
		for id, until := range m {
			if now.After(until) {
				delete(m, id)
			}
		}
	}
}

// drainTime is how long clients may take to close, a little more than a connection waits for its client's answer.
const drainTime = 2500 * time.Millisecond

// drain tells the clients that the server ends, closes all connections and
// waits for them.
func (h *Hub) drain() {
	conns := h.registry.everybody()
	spread := min(h.cfg.DrainTime, time.Duration(len(conns))*2*time.Millisecond)
	slot := func(i int) time.Duration { return spread * time.Duration(i) / time.Duration(max(1, len(conns))) }

	h.mu.Lock()
	h.draining = true
	h.apply(call.Shutdown{})
	for i, c := range conns {
		if s := c.session; s != nil && s.Features.Has(protocol.FeatureResume) {
			s.renew() // so that the next server takes it, however late this one is
			s.sendLoose(protocol.GoingAwayMessage{ReconnectInMs: slot(i).Milliseconds()})
		}
	}
	h.unlock()

	start := time.Now()
	for i, c := range conns {
		if wait := slot(i) - time.Since(start); wait > 0 {
			time.Sleep(wait)
		}
		c.close(protocol.CloseGoingAway, "the server is going away")
	}
	done := make(chan struct{})
	go func() { h.registry.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(drainTime):
		for _, c := range h.registry.everybody() {
			c.wire.Abort()
		}
		<-done
	}
	h.mu.Lock()
	defer h.unlock()
	for _, t := range h.timers {
		t.Stop()
	}
	for _, s := range h.sessions {
		if s.expires != nil {
			s.expires.Stop()
		}
	}
}

// posts are events from goroutines that must not wait for Hub.mu.
type posts struct {
	wake chan struct{} // capacity 1

	mu    sync.Mutex
	queue []call.Event
}

// takePosts feeds posts to the rules until ctx ends.
func (h *Hub) takePosts(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.posts.wake:
		}
		h.posts.mu.Lock()
		queue := h.posts.queue
		h.posts.queue = nil
		h.posts.mu.Unlock()
		h.mu.Lock()
		for _, e := range queue {
			h.apply(e)
		}
		h.unlock()
	}
}

func (h *Hub) post(e call.Event) {
	h.posts.mu.Lock()
	h.posts.queue = append(h.posts.queue, e)
	h.posts.mu.Unlock()
	select {
	case h.posts.wake <- struct{}{}:
	default:
	}
}
