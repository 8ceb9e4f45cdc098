package presence

// This file sends lists and changes. All but what says otherwise runs on the teller's goroutine.

import (
	"context"
	"time"

	"duet/signaling/protocol"
)

const (
	bytesToOne      = 1 << 20         // of lists to one client in a second, and
	statusToOne     = 16 << 10        // of those in which only a status is new, but
	statusWithin    = 5 * time.Second // is soon enough for any
	bytesInAll      = 100 << 20       // of lists and changes to all together: with thousands of clients the intervals grow
	burst           = 250 * time.Millisecond
	pause           = 20 * time.Millisecond
	deltasPerSecond = 8000 // to all clients together: with more than 800 of them the interval grows
	walkAtOnce      = 256  // watchers, without giving the lock to somebody else
)

// teller is what the goroutine that tells has for itself.
type teller struct {
	picture          []*Entry // everybody, as of version, of whom some have come
	version, comings uint64
	untold           []change // those up to version that have not been told
	told             uint64   // the version before them
	next             time.Time
	folding          folder
	receivers        []protocol.Conn
	newcomers        []newcomer
	turn             int // of lists
}

// newcomer is a watcher whose list is of a later version than told.
type newcomer struct {
	to   protocol.Conn
	base uint64
}

// Run sends what is due until ctx ends.
func (r *Roster) Run(ctx context.Context) {
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
			timer.Reset(max(next, pause))
		}
	}
}

// flush sends what is due now and says in how long something else will be; 0 means that nothing waits.
func (r *Roster) flush(now time.Time) time.Duration {
	var w waiting
	r.release(now, &w)
	r.take()
	r.sendDeltas(now, &w)
	if r.outgrown() {
		r.publish(now)
	}
	r.sendLists(now, &w)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timed = !w.due.IsZero() && w.soon.After(now)
	r.timedStatus = !w.due.IsZero() && w.soonStatus.After(now)
	switch {
	case r.timed:
		return w.soon.Sub(now)
	case r.timedStatus:
		return w.soonStatus.Sub(now)
	case !w.due.IsZero():
		return w.due.Sub(now)
	}
	return 0
}

// waiting is when anybody may hear who came or went, or who is busy, and when somebody who waits for either does.
type waiting struct{ soon, soonStatus, due time.Time }

func (w *waiting) may(soon, soonStatus time.Time) {
	if w.soon.IsZero() || soon.Before(w.soon) {
		w.soon = soon
	}
	if w.soonStatus.IsZero() || soonStatus.Before(w.soonStatus) {
		w.soonStatus = soonStatus
	}
}

func (w *waiting) waits(at time.Time) {
	if w.due.IsZero() || at.Before(w.due) {
		w.due = at
	}
}

// release notes the changes of users who were held, and whose time has come.
func (r *Roster) release(now time.Time, w *waiting) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timed, r.timedStatus = false, false // what changes from here on may be missed below
	for i := len(r.held) - 1; i >= 0; i-- {
		if i%walkAtOnce == 0 {
			r.mu.Unlock()
			r.mu.Lock() // only the teller takes from held
		}
		e := r.held[i]
		if e.status != "" && e.status != e.wanted {
			if !e.payLocked(now) {
				w.waits(e.paid.Add(changeEvery))
				continue
			}
			r.noteLocked(e, e.wanted)
		}
		e.held = false
		last := len(r.held) - 1
		r.held[i], r.held[last] = r.held[last], nil
		r.held = r.held[:last]
	}
}

// take brings the picture up to date.
func (r *Roster) take() {
	t := &r.tell
	r.mu.Lock()
	from := len(t.untold)
	t.untold = append(t.untold, r.log...)
	if r.full.data != nil {
		r.since = append(r.since, r.newerLocked()...)
	}
	clear(r.log)
	r.log = r.log[:0]
	t.version, t.comings = r.version, r.comings
	r.mu.Unlock()
	for _, ch := range t.untold[from:] {
		e := ch.e
		e.shown = ch.to
		switch {
		case ch.from == "":
			e.at = len(t.picture)
			t.picture = append(t.picture, e)
		case ch.to == "":
			last := len(t.picture) - 1
			t.picture[e.at] = t.picture[last]
			t.picture[e.at].at = e.at
			t.picture[last] = nil
			t.picture = t.picture[:last]
		}
	}
}

// sendDeltas sends the changes when they are due: the same frame to all who had the state before them, and their own to
// those whose list came in between.
func (r *Roster) sendDeltas(now time.Time, w *waiting) {
	t := &r.tell
	r.mu.Lock()
	watched := len(r.deltas)+len(r.fresh) > 0
	due := len(t.untold) > 0 && !now.Before(t.next)
	if due && watched {
		for _, one := range r.deltas {
			t.receivers = append(t.receivers, one.to)
		}
		r.settleLocked()
	}
	r.mu.Unlock()
	if due && watched {
		all := t.folding.delta(t.folding.fold(tellerMark, t.untold))
		for _, to := range t.receivers {
			send(to, all)
		}
		t.catchUp()
		count := len(t.receivers) + len(t.newcomers)
		bytes := len(all.Data) * count
		wait := max(r.deltaEvery, time.Duration(count)*time.Second/deltasPerSecond, time.Duration(bytes)*time.Second/bytesInAll)
		t.next = now.Add(wait)
		clear(t.receivers)
		clear(t.newcomers)
		t.receivers, t.newcomers = t.receivers[:0], t.newcomers[:0]
		r.mu.Lock()
		r.spendLocked(bytes, now)
		r.mu.Unlock()
	}
	if due || !watched {
		clear(t.untold)
		t.untold, t.told = t.untold[:0], t.version
	}
	if watched {
		if w.may(t.next, t.next); len(t.untold) > 0 {
			w.waits(t.next)
		}
	}
}

// catchUp sends newcomers what has changed since their lists. When there are many, each gets it in blocks whose size is a
// power of two, which are encoded once for all of them.
func (t *teller) catchUp() {
	all := len(t.untold)
	if len(t.newcomers)*all <= 1<<16 {
		for _, n := range t.newcomers {
			send(n.to, t.folding.delta(t.folding.fold(tellerMark, t.untold[n.base-t.told:])))
		}
		return
	}
	blocks := map[[2]int]protocol.Frame{}
	for _, n := range t.newcomers {
		for from := int(n.base - t.told); from < all; {
			size := 1
			for from%(2*size) == 0 && from+2*size <= all {
				size *= 2
			}
			f, known := blocks[[2]int{from, size}]
			if !known {
				f = t.folding.delta(t.folding.fold(tellerMark, t.untold[from:from+size]))
				blocks[[2]int{from, size}] = f
			}
			if f.Size > 0 {
				n.to.Push(f)
			}
			from += size
		}
		n.to.Flush()
	}
}

func send(to protocol.Conn, f protocol.Frame) {
	if f.Size > 0 {
		to.Push(f)
		to.Flush()
	}
}

// settleLocked makes the fresh watchers that came before the teller's version such as all others.
func (r *Roster) settleLocked() {
	t := &r.tell
	still := r.fresh[:0]
	for _, one := range r.fresh {
		if one.base > t.version {
			one.pos = len(still)
			still = append(still, one)
			continue
		}
		t.newcomers = append(t.newcomers, newcomer{one.to, max(one.base, t.told)})
		r.deltas = one.joinLocked(&r.deltas)
	}
	clear(r.fresh[len(still):])
	r.fresh = still
}

// outgrown says whether too much has changed since the latest encoding: newcomers get what has, one by one. Where nobody
// watches there is none.
func (r *Roster) outgrown() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) <= smallRoster || !r.watchedLocked() {
		r.full, r.since = list{}, nil
		return false
	}
	return r.full.data == nil || len(r.since) > r.manyLocked()
}

// publish encodes the picture.
func (r *Roster) publish(now time.Time) {
	t := &r.tell
	r.mu.Lock()
	like := r.full.data
	r.mu.Unlock()
	l := encode(like, func(yield func(protocol.UserEntry, string) bool) {
		for _, e := range t.picture {
			if !yield(e.user, e.shown) {
				return
			}
		}
	})
	l.version, l.comings, l.at = t.version, t.comings, now
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.since)
	if r.since = r.since[:0]; r.full.data == nil || r.full.version < l.version {
		r.full = l
	}
}

// sendLists sends lists to those whose turn it is.
func (r *Roster) sendLists(now time.Time, w *waiting) {
	t := &r.tell
	var latest list // one for all of them
	reached := t.receivers[:0]
	r.mu.Lock()
	for left, walked := len(r.lists), 0; left > 0 && len(r.lists) > 0; left-- {
		if walked++; walked%walkAtOnce == 0 {
			count := len(r.lists)
			r.mu.Unlock()
			reached = sendAll(reached, latest)
			r.mu.Lock()
			if len(r.lists) != count { // somebody may have moved to where we have been
				w.waits(now.Add(pause))
			}
			left = min(left, len(r.lists))
			if left == 0 {
				break
			}
		}
		t.turn = (t.turn + 1) % len(r.lists)
		one := r.lists[t.turn]
		at := one.late
		if one.knows != r.comings {
			at = one.soon
		}
		if one.seen != r.version && !now.Before(at) {
			if r.room.After(now) {
				t.turn-- // it is the first when there is room
				w.may(r.room, r.room)
				w.waits(r.room)
				break
			}
			if latest.data == nil {
				r.mu.Unlock()
				latest = r.latest(now)
				r.mu.Lock()
				t.turn-- // once more, and all the others
				left = len(r.lists) + 1
				continue
			}
			if one.seen == latest.version { // of which it is too early for another
				w.waits(latest.at.Add(r.listEvery))
				continue
			}
			one.seen, one.knows = latest.version, latest.comings
			r.toldLocked(one, len(latest.data), now)
			reached = append(reached, one.to)
			at = one.late
			if one.knows != r.comings {
				at = one.soon
			}
		}
		w.may(latestOf(one.soon, r.room), latestOf(one.late, r.room))
		if one.seen != r.version {
			w.waits(latestOf(at, r.room))
		}
	}
	r.mu.Unlock()
	t.receivers = sendAll(reached, latest)
}

func latestOf(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// latest is an encoding that is new enough for a plain client.
func (r *Roster) latest(now time.Time) list {
	r.mu.Lock()
	l, current := r.full, r.full.version == r.version
	r.mu.Unlock()
	if l.data == nil || !current && now.Sub(l.at) >= r.listEvery {
		r.take()
		r.publish(now)
		r.mu.Lock()
		l = r.full
		r.mu.Unlock()
	}
	return l
}

func sendAll(to []protocol.Conn, l list) []protocol.Conn {
	if len(to) > 0 {
		f := l.frame(nil)
		for _, one := range to {
			send(one, f)
		}
	}
	clear(to)
	return to[:0]
}
