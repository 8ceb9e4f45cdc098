package signaling

// This file remembers what has ended.

import "time"

// past remembers what has ended for as long as a token could bring it back.
// Guarded by Hub.mu.
type past struct {
	sessions, calls map[string]time.Time
}

func (p *past) session(id string, until time.Time) { p.sessions[id] = until }
func (p *past) call(id string, until time.Time)    { p.calls[id] = until }

// forget drops what no token can bring back any more.
func (h *Hub) forget() {
	h.do(func(st *step) {
		for _, m := range []map[string]time.Time{st.past.sessions, st.past.calls} {
			for id, until := range m {
				if st.now.After(until) {
					delete(m, id)
				}
			}
		}
	})
}
