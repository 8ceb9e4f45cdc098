package signaling

// This file ends sessions for another reason than that their client is gone: the
// token that they joined with has expired, or the operator wants it.

import (
	"log/slog"
	"time"

	"duet/signaling/join"
	"duet/signaling/protocol"
)

// subjects are the sessions of those who have joined with a token, by whom that
// names. Guarded by Hub.mu.
type subjects map[string]map[*session]struct{}

// ends is when the token expires that the session was begun with; zero: never.
func (cl claims) ends() time.Time {
	if cl.Until == 0 {
		return time.Time{}
	}
	return time.UnixMilli(cl.Until)
}

// admit notes whose a session is and has it end at that time, unless that is zero.
func (st *step) admit(s *session, subject string, until time.Time) {
	st.dismiss(s)
	s.subject, s.until = subject, until
	if subject != "" {
		if st.subjects[subject] == nil {
			st.subjects[subject] = map[*session]struct{}{}
		}
		st.subjects[subject][s] = struct{}{}
	}
	if until.IsZero() {
		return
	}
	h := st.Hub
	var t *time.Timer
	t = time.AfterFunc(until.Sub(st.now), func() {
		h.do(func(st *step) {
			if s.expiry == t && !s.ended {
				why := join.Expired()
				st.send(s, protocol.ErrorMessage{Code: why.Code, Message: why.Message})
				st.end(s, protocol.CloseEnded, why.Message)
			}
		})
	})
	s.expiry = t
}

// dismiss takes back what admit did.
func (st *step) dismiss(s *session) {
	if s.expiry != nil {
		s.expiry.Stop()
		s.expiry = nil
	}
	if of := st.subjects[s.subject]; of != nil {
		if delete(of, s); len(of) == 0 {
			delete(st.subjects, s.subject)
		}
	}
}

// EndSessions ends the sessions of a user, who is an id, a name, or the subject of
// a token, and says how many there were. Who may come back is for signaling.join
// to decide.
func (h *Hub) EndSessions(user string) (ended int) {
	h.do(func(st *step) {
		found := map[*session]struct{}{}
		for s := range st.subjects[user] {
			found[s] = struct{}{}
		}
		if s := st.sessions[user]; s != nil {
			found[s] = struct{}{}
		}
		if u := st.machine.Named(protocol.TargetKey(user)); u != nil {
			found[st.sessions[u.ID]] = struct{}{}
		}
		for s := range found {
			st.end(s, protocol.CloseEnded, "the operator has ended this session")
		}
		if ended = len(found); ended > 0 {
			st.logLater(slog.LevelInfo, "sessions ended by the operator", "user", user, "sessions", ended)
		}
	})
	return ended
}
