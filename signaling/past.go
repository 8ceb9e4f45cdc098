package signaling

// This file remembers what has ended.

import "time"

// past is the sessions and calls that have ended, for as long as a token could
// bring them back. All are kept equally long, so the queue is in the order of
// time; it is in chunks, so that it is never copied either. Guarded by Hub.mu.
type past struct {
	keep   time.Duration
	ids    map[string]struct{}
	chunks [][]pastEntry
}

type pastEntry struct {
	id    string
	until time.Time
}

const pastChunk = 256

func newPast(keep time.Duration) past { return past{keep: keep, ids: map[string]struct{}{}} }

func (p *past) has(id string) bool {
	_, is := p.ids[id]
	return is
}

// add remembers an id, which is never used again.
func (p *past) add(id string, now time.Time) {
	last := len(p.chunks) - 1
	if last < 0 || len(p.chunks[last]) == cap(p.chunks[last]) {
		p.chunks = append(p.chunks, make([]pastEntry, 0, pastChunk))
		last++
	}
	p.chunks[last] = append(p.chunks[last], pastEntry{id, now.Add(p.keep)})
	p.ids[id] = struct{}{}
}

// forget drops the oldest chunk if no token can bring back anything of it, and
// reports whether there was one.
func (p *past) forget(now time.Time) (some bool) {
	if len(p.chunks) == 0 {
		return false
	}
	oldest := p.chunks[0]
	if !now.After(oldest[len(oldest)-1].until) {
		return false
	}
	for _, e := range oldest {
		delete(p.ids, e.id)
	}
	if p.chunks = p.chunks[1:]; len(p.chunks) == 0 {
		*p = newPast(p.keep) // a map keeps the room that it once had
	}
	return true
}

// forget drops what no token can bring back any more, a little at a time.
func (h *Hub) forget() {
	for some := true; some; {
		h.do(func(st *step) { some = st.past.forget(st.now) })
	}
}
