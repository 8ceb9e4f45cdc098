package signaling

// This file is the one place where the hub's lock is taken: a step under it, and
// what the step leaves to be done without it.

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"duet/signaling/call"
	"duet/signaling/protocol"
)

// step is one step of the hub. While it has the lock it changes sessions and
// calls; afterwards it asks the neighbours, writes the log, and writes to clients.
type step struct {
	*Hub
	now time.Time

	reader *conn           // whose message it is, and who flushes when no more are at hand; nil: nobody's
	asker  *conn           // who hears of a refusal, or of a fault of ours; nil: nobody
	asked  protocol.Header // the message that is refused then

	received call.Received // room for the event of a message
	events   []call.Event  // to be taken through the rules
	stepping bool
	dirty    []*session // their tokens are older than their state

	pending  []*conn // have something to be written
	records  []record
	evidence []*call.Call // to be gathered
}

// record is a line of the log.
type record struct {
	level slog.Level
	words string
	attrs []any
}

// steps holds what steps have grown.
var steps = sync.Pool{New: func() any { return new(step) }}

// do takes the lock for one step. It is the only place that does: a fault of ours
// becomes an error at the asker in place of the end of everybody's calls, tokens
// are renewed, and what must not be done under the lock is done after it. Nobody
// who calls it may hold a lock.
func (h *Hub) do(act func(*step)) { h.doAt(time.Now(), act) }

// doAt is do for whoever has just looked at the clock.
func (h *Hub) doAt(now time.Time, act func(*step)) {
	st := steps.Get().(*step)
	st.Hub, st.now = h, now
	st.locked(act)
	st.finish()
}

func (st *step) locked(act func(*step)) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.watchHolds != nil {
		defer st.watchHolds(time.Now())
	}
	st.guarded(act)
	st.guarded((*step).renewDirty)
	for _, c := range st.pending {
		c.marked = false
	}
}

// guarded ends a fault of ours here.
func (st *step) guarded(act func(*step)) {
	defer func() {
		fault := recover()
		if fault == nil {
			return
		}
		st.logLater(slog.LevelError, "a step could not be finished", "type", st.asked.Type, "fault", fault, "stack", string(debug.Stack()))
		st.events, st.stepping = nil, false
		if c := st.asker; c != nil {
			st.asker = nil // a second fault is heard by nobody
			st.guarded(func(st *step) { st.refuse(c, st.asked, protocol.Internal, 0) })
		}
	}()
	act(st)
}

// finish does what the step has left to be done. The lock is not held any more.
func (st *step) finish() {
	st.relayCalls.run(st.Hub)
	for _, r := range st.records {
		st.log.Log(context.Background(), r.level, r.words, r.attrs...)
	}
	if st.reader != nil {
		st.reader.pending = append(st.reader.pending, st.pending...)
	} else {
		for _, c := range st.pending {
			c.flush()
		}
	}
	h := st.Hub
	for _, c := range st.evidence {
		h.apart("gather evidence", func() { h.gatherEvidence(c) })
	}
	st.reset()
	steps.Put(st)
}

// reset forgets everything but the room that slices have.
func (st *step) reset() {
	clear(st.events)
	clear(st.dirty)
	clear(st.pending)
	clear(st.records)
	clear(st.evidence)
	*st = step{
		events: st.events[:0], dirty: st.dirty[:0], pending: st.pending[:0],
		records: st.records[:0], evidence: st.evidence[:0],
	}
}

// apart does something without the lock and ends a fault of ours there.
func (h *Hub) apart(what string, f func()) {
	defer h.endFault(what)
	f()
}

// endFault, deferred, ends a fault of ours.
func (h *Hub) endFault(what string) {
	if fault := recover(); fault != nil {
		h.log.Error("something could not be done", "what", what, "fault", fault, "stack", string(debug.Stack()))
	}
}

// markPending notes that c has something to be written.
func (st *step) markPending(c *conn) {
	if !c.marked {
		c.marked = true
		st.pending = append(st.pending, c)
	}
}

// logLater writes a line of the log after the lock.
func (st *step) logLater(level slog.Level, words string, attrs ...any) {
	st.records = append(st.records, record{level, words, attrs})
}

// markDirty has a session's token renewed at the end of the step.
func (st *step) markDirty(s *session) {
	if !s.dirty && s.Features.Has(protocol.FeatureResume) {
		s.dirty = true
		st.dirty = append(st.dirty, s)
	}
}

func (st *step) renewDirty() {
	for _, s := range st.dirty {
		if s.dirty && !s.ended {
			s.dirty = false
			st.renew(s)
		}
	}
}

// apply takes events through the rules until nothing is left to do.
func (st *step) apply(e call.Event) {
	st.events = append(st.events, e)
	if st.stepping {
		return // the loop below is ours already: an effect led to an event
	}
	st.stepping = true
	for i := 0; i < len(st.events); i++ { // more may be added meanwhile
		for _, effect := range st.machine.Step(st.now, st.events[i]) {
			call.Carry(effect, st)
		}
	}
	clear(st.events)
	st.events, st.stepping = st.events[:0], false
}
