package signaling

// This file brings users in and lets them go: join, the loss of a connection, the
// end of a session.

import (
	"log/slog"
	"time"

	"duet/signaling/call"
	"duet/signaling/join"
	"duet/signaling/protocol"
)

// joinRequest is a request to join whose token has been looked at.
type joinRequest struct {
	protocol.JoinRequest
	pass join.Pass
}

// join makes a session.
func (st *step) join(c *conn, req joinRequest) protocol.Refusal {
	name, good := protocol.CleanName(req.Username)
	if !good {
		return protocol.BadUsername
	}
	key := protocol.FoldName(name)
	if holder := st.machine.Named(key); holder != nil {
		// A client whose first connection broke before its welcome came has no
		// token to come back with. Its place is nobody's, so it may have it.
		// Neither has a page of Socket.IO that was reloaded.
		s := st.sessions[holder.ID]
		if s == nil { // the echo user
			return protocol.UsernameTaken
		}
		reloaded := s.pid != "" && s.conn == nil && s.from == c.ip
		same := s.subject != "" && s.subject == req.pass.Subject // the user's own, from a device that died, say
		if !same && !reloaded && (s.proven || s.conn != nil || s.Call != nil || s.from != c.ip) {
			return protocol.UsernameTaken
		}
		st.end(s, protocol.CloseTakenOver, "taken over by a newer connection")
	}
	if st.cfg.Join.RefuseLookalikes && st.machine.LooksTaken(name) {
		return protocol.UsernameTaken.Because("somebody is using a name that looks like this one")
	}
	f := protocol.Grant(req.Features)
	id, pid := c.early.id, c.early.pid
	if st.cfg.ResumeGrace == 0 || id != "" {
		f &^= protocol.FeatureResume
	}
	if id == "" {
		id = protocol.NewID("u_")
	}
	s := st.newSession(id, name, f, c.limit)
	st.admit(s, req.pass.Subject, req.pass.Until)
	if s.from = c.ip; pid != "" {
		s.pid, st.recoverable[pid] = pid, s
	}
	st.attach(s, c)
	st.welcome(s, welcoming{})
	st.watch(c, f)
	c.push(protocol.Frame{Kind: protocol.Ping, Data: []byte(proof)}) // written with the welcome
	st.logLater(slog.LevelInfo, "session joined", "id", s.ID)
	return protocol.OK
}

// rejoin answers a page of Socket.IO that joins whenever it connects, though its session is still there.
func (st *step) rejoin(c *conn) {
	s := c.session
	c.recovered = false // once
	st.welcome(s, welcoming{resumed: true})
	st.roster.Detach(&c.watch)
	st.watch(c, s.Features)
}

// proof is the payload of the ping that follows a welcome: its pong shows that
// the welcome came.
const proof = "welcome"

// prove is told by c's reader that this pong came.
func (h *Hub) prove(c *conn) {
	h.do(func(*step) {
		if c.session != nil {
			c.session.proven = true
		}
	})
}

// attach makes c the connection of s.
func (st *step) attach(s *session, c *conn) {
	c.joinBy.Stop()
	c.session, c.limit = s, s.limit
	s.conn, s.lastIP = c, c.ip
	st.absent.back(s)
	if in := s.Call; in != nil && in.Accepted() && st.turn != nil && !st.hidesAddresses() {
		st.turn.Seen(in.ID, s.ID, c.ip.String())
	}
}

// watch tells c who is here, as its client asked for.
func (st *step) watch(c *conn, f protocol.Features) {
	if !f.Has(protocol.FeaturePresenceNone) {
		st.roster.Attach(&c.watch, c.wire, f.Has(protocol.FeaturePresenceDelta), st.now)
	}
}

// detach leaves s without a connection.
func (st *step) detach(s *session) {
	c := s.conn
	if c == nil {
		return
	}
	st.roster.Detach(&c.watch)
	c.renewAt.Store(0)
	c.session, s.conn = nil, nil
}

// lost is told by c's reader that the connection is over, and with which code.
func (h *Hub) lost(c *conn, code int) {
	h.do(func(st *step) {
		c.joinBy.Stop()
		s := c.session
		if s == nil {
			return
		}
		st.detach(s)
		if code == protocol.CloseNormal && !c.isClosing() || s.pid != "" && c.flooded.Load() {
			st.end(s, 0, "")
		} else if code == protocol.CloseGoingAway && !c.isClosing() {
			st.await(s, min(st.cfg.ResumeGrace, reloadGrace))
		} else {
			st.await(s, st.cfg.ResumeGrace)
		}
	})
}

// reloadGrace is the grace of a session whose client has said that it goes away: a browser says so of a page that is
// closed and of one that is loaded anew, and only the latter comes back.
const reloadGrace = 10 * time.Second

// await lets a session live on for the grace, if its client knows how to come back.
func (st *step) await(s *session, grace time.Duration) {
	if !s.keeps() {
		st.end(s, 0, "")
		return
	}
	if s.expires != nil {
		s.expires.Stop()
	}
	var t *time.Timer
	h := st.Hub
	t = time.AfterFunc(grace, func() {
		h.do(func(st *step) {
			if s.expires == t && s.conn == nil {
				st.end(s, 0, "")
			}
		})
	})
	s.expires = t
	st.leave(s)
}

// tooSlow takes the connection from a session whose client does not keep up.
func (st *step) tooSlow(s *session) {
	st.metrics.tooSlow.Inc()
	st.logLater(slog.LevelWarn, "client reads too slowly", "id", s.ID)
	st.detach(s)
	st.await(s, st.cfg.ResumeGrace)
}

// overflow ends a session for which not even the server's own messages have room.
func (st *step) overflow(s *session) {
	st.metrics.overflows.Inc()
	st.logLater(slog.LevelWarn, "session outbox overflows", "id", s.ID)
	st.end(s, protocol.CloseEnded, "too much was left unread")
}

// end ends a session; its connection, if any, is closed with code.
func (st *step) end(s *session, code uint16, words string) {
	if s.ended {
		return
	}
	s.ended = true
	if c := s.conn; c != nil {
		st.detach(s)
		c.close(code, words)
	}
	if s.expires != nil {
		s.expires.Stop()
	}
	st.dismiss(s)
	delete(st.sessions, s.ID)
	delete(st.recoverable, s.pid)
	st.roster.Remove(s.entry)
	if s.Features.Has(protocol.FeatureResume) {
		st.past.add(s.ID, st.now)
	}
	st.metrics.sessions.Dec()
	st.absent.back(s)
	*s.kept -= s.outboxBytes
	s.outbox, s.outboxBytes = nil, 0
	st.logLater(slog.LevelInfo, "session ended", "id", s.ID)
	st.apply(call.Gone{User: &s.User})
}

// welcoming is how a session came to its connection.
type welcoming struct {
	resumed, restored bool
	applied           uint64 // of the client's messages before the restart
}

// welcome is the first message of every connection.
func (st *step) welcome(s *session, how welcoming) {
	m := protocol.WelcomeMessage{
		ID: s.ID, Username: s.Name, ICE: st.iceServers(s), Relay: st.relayMode, RelayAfterMs: st.relayAfter.Milliseconds(),
		Resumed: how.resumed, Restored: how.restored, Ack: s.recvSeq, Applied: how.applied, Features: s.Features, Server: st.about,
	}
	if s.Features.Has(protocol.FeatureResume) {
		m.Session, m.GraceMs = st.token(s), st.cfg.ResumeGrace.Milliseconds()
	}
	if c := s.Call; c != nil {
		peer := c.Other(&s.User)
		m.Call = &protocol.CallState{CallID: c.ID, Role: call.Roles[s.Side], Phase: c.Phase().String(), Peer: peer.Name, PeerID: peer.ID,
			Self: c.Media[s.Side], Other: c.Media[1-s.Side], Relay: c.Relayed()}
	}
	st.sendUnnumbered(s, m)
}
