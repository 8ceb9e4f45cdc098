package signaling

// This file knows who is online and tells it: full lists to plain clients,
// deltas to clients with presence-delta, each encoded once for all receivers
// and sent at most once in an interval.

import (
	"context"
	"sync"
	"time"

	"duet/signaling/protocol"
)

const (
	listBytesPerSecond = 1 << 20   // of user lists to one client
	listBytesInAll     = 100 << 20 // and to all together: with thousands of them the interval grows
	listBurst          = 250 * time.Millisecond
	rosterPause        = 20 * time.Millisecond
	deltasPerSecond    = 10000 // to all clients together: with more than 1,000 of them the interval grows
)

// roster is everybody online, and who hears about it.
type roster struct {
	listEvery, deltaEvery time.Duration
	wake                  chan struct{} // capacity 1: something is to be told, and no timer runs for it

	mu      sync.Mutex // above conn.mu, below Hub.mu
	entries []*entry
	version uint64
	list    protocol.Frame // encoding of listVersion
	listFor uint64

	log    []rosterChange // since the last delta
	stamp  uint64         // of the diff being made
	deltas []*conn
	lists  []*conn
	turn   int       // of lists
	next   time.Time // when the next delta may go
	room   time.Time // when the next list may go, whoever it is for
	timed  bool      // a timer runs that is due before anybody may hear more
}

// entry is one user in the roster.
type entry struct {
	pos    int
	id     string
	user   protocol.UserEntry
	status string // "": gone
	stamp  uint64
}

type rosterChange struct {
	e    *entry
	from string // status before, "": absent
}

// watcher is a connection's place in the roster.
type watcher struct {
	pos   int // in deltas or lists
	delta bool
	on    bool
	base  int    // a delta client's list held this many changes of the log; -1: it is older than the log
	seen  uint64 // version of a plain client's last list
	next  time.Time
}

func newRoster(listEvery, deltaEvery time.Duration) *roster {
	return &roster{listEvery: listEvery, deltaEvery: deltaEvery, wake: make(chan struct{}, 1), version: 1}
}

func (r *roster) changedLocked(e *entry, from string) {
	r.version++
	if len(r.deltas) > 0 {
		r.log = append(r.log, rosterChange{e, from})
	}
	if r.timed || len(r.deltas)+len(r.lists) == 0 {
		return // waking a goroutine costs more than all of this
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// add brings a user in.
func (r *roster) add(id, name, status string) *entry {
	e := &entry{id: id, user: protocol.NewUserEntry(id, name), status: status}
	r.mu.Lock()
	defer r.mu.Unlock()
	e.pos = len(r.entries)
	r.entries = append(r.entries, e)
	r.changedLocked(e, "")
	return e
}

func (r *roster) set(e *entry, status string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if from := e.status; from != "" && from != status {
		e.status = status
		r.changedLocked(e, from)
	}
}

func (r *roster) remove(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.status == "" {
		return
	}
	last := len(r.entries) - 1
	r.entries[e.pos] = r.entries[last]
	r.entries[e.pos].pos = e.pos
	r.entries[last] = nil
	r.entries = r.entries[:last]
	from := e.status
	e.status = ""
	r.changedLocked(e, from)
}

// attach sends a connection the list and keeps it up to date from there.
func (r *roster) attach(c *conn, f protocol.Features) {
	if f.Has(protocol.FeaturePresenceNone) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &c.watch
	list := r.listLocked()
	if w.delta = f.Has(protocol.FeaturePresenceDelta); w.delta {
		w.pos, w.base = len(r.deltas), len(r.log)
		r.deltas = append(r.deltas, c)
		list.Kind = protocol.Text // deltas follow: it cannot be replaced
		list.Size = 0
	} else {
		w.pos = len(r.lists)
		r.toldLocked(w, list, time.Now())
		r.lists = append(r.lists, c)
	}
	w.on = true
	c.push(list)
}

func (r *roster) detach(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &c.watch
	if !w.on {
		return
	}
	w.on = false
	from := &r.lists
	if w.delta {
		from = &r.deltas
	}
	last := len(*from) - 1
	(*from)[w.pos] = (*from)[last]
	(*from)[w.pos].watch.pos = w.pos
	(*from)[last] = nil
	*from = (*from)[:last]
}

// listLocked encodes everybody, once for each version.
func (r *roster) listLocked() protocol.Frame {
	if r.listFor != r.version {
		users := func(yield func(protocol.UserEntry, string) bool) {
			for _, e := range r.entries {
				if !yield(e.user, e.status) {
					return
				}
			}
		}
		room := make([]byte, 0, len(r.list.Data)+len(r.list.Data)/16+1024)
		b := append(protocol.UserListMessage{Users: users}.Append(room), '}')
		r.list, r.listFor = protocol.Frame{Kind: protocol.List, Data: b, Size: len(b)}, r.version
	}
	return r.list
}

// toldLocked notes that a plain client gets the list.
func (r *roster) toldLocked(w *watcher, list protocol.Frame, now time.Time) {
	size := time.Duration(list.Size) * time.Second
	w.seen, w.next = r.version, now.Add(max(r.listEvery, size/listBytesPerSecond))
	if least := now.Add(-listBurst); r.room.Before(least) {
		r.room = least
	}
	r.room = r.room.Add(size / listBytesInAll)
}

// run sends what is due until ctx ends.
func (r *roster) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-r.wake:
			timer.Stop()
		}
		if next := r.flush(time.Now()); next > 0 {
			timer.Reset(max(next, rosterPause))
		}
	}
}

// flush sends what is due now and says in how long something else will be; 0
// means that nothing waits.
func (r *roster) flush(now time.Time) (next time.Duration) {
	var reached []*conn
	defer func() {
		for _, c := range reached {
			c.flush()
		}
	}()
	r.mu.Lock()
	defer r.mu.Unlock()
	var soon, due time.Time // when anybody may hear more, and when somebody who waits does
	later := func(at time.Time, waiting bool) {
		if soon.IsZero() || at.Before(soon) {
			soon = at
		}
		if waiting && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	if len(r.deltas) == 0 {
		r.log = r.log[:0]
	} else {
		if len(r.log) > 0 && !now.Before(r.next) {
			reached = r.sendDeltasLocked()
			clear(r.log)
			r.log = r.log[:0]
			r.next = now.Add(max(r.deltaEvery, time.Duration(len(r.deltas))*time.Second/deltasPerSecond))
		}
		later(r.next, len(r.log) > 0)
	}
	for range r.lists {
		r.turn = (r.turn + 1) % len(r.lists)
		c := r.lists[r.turn]
		w := &c.watch
		if w.seen != r.version && !now.Before(w.next) {
			if r.room.After(now) {
				r.turn-- // it is the first when there is room
				later(r.room, true)
				break
			}
			list := r.listLocked()
			r.toldLocked(w, list, now)
			c.push(list)
			reached = append(reached, c)
		}
		at := w.next
		if at.Before(r.room) {
			at = r.room
		}
		later(at, w.seen != r.version)
	}
	switch r.timed = !due.IsZero() && soon.After(now); {
	case r.timed:
		return soon.Sub(now)
	case !due.IsZero():
		return due.Sub(now)
	}
	return 0
}

// sendDeltasLocked sends the changes of the log: the same frame to all who had
// the state before it, and their own to those whose list came in between.
func (r *roster) sendDeltasLocked() (reached []*conn) {
	reached = make([]*conn, 0, len(r.deltas))
	var all protocol.Frame
	encoded := false
	for _, c := range r.deltas {
		w := &c.watch
		if w.base < 0 {
			if !encoded {
				all, encoded = r.deltaLocked(0), true
			}
			if all.Size > 0 {
				c.push(all)
				reached = append(reached, c)
			}
			continue
		}
		if f := r.deltaLocked(w.base); f.Size > 0 {
			c.push(f)
			reached = append(reached, c)
		}
		w.base = -1
	}
	return reached
}

// deltaLocked encodes what has changed since a place in the log: for each user
// the state then and now.
func (r *roster) deltaLocked(since int) protocol.Frame {
	r.stamp++
	var m protocol.PresenceMessage
	for _, ch := range r.log[since:] {
		e := ch.e
		if e.stamp == r.stamp {
			continue
		}
		e.stamp = r.stamp
		switch {
		case ch.from == e.status:
		case ch.from == "":
			m.Joined = protocol.AppendUser(m.Joined, e.user, e.status)
		case e.status == "":
			m.Left = protocol.AppendLeft(m.Left, e.id)
		default:
			m.Status = protocol.AppendStatus(m.Status, e.id, e.status)
		}
	}
	size := len(m.Joined) + len(m.Left) + len(m.Status)
	if size == 0 {
		return protocol.Frame{}
	}
	b := append(m.Append(make([]byte, 0, size+80)), '}')
	return protocol.Frame{Data: b, Size: len(b)}
}
