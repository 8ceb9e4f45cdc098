package presence

// This file notes who is online and who hears about it.

import (
	"time"

	"duet/internal/lock"
	"duet/signaling/protocol"
)

const (
	smallRoster = 128 // users, up to which a newcomer's list is encoded for it alone

	// A user who changes more often than that is told of at this pace, newest state only: whoever rings and hangs up all the
	// time costs everybody who watches.
	changeEvery = time.Second
	changeBurst = 4
)

// Roster is everybody online, and who hears about it.
type Roster struct {
	listEvery, deltaEvery time.Duration
	wake                  chan struct{} // capacity 1: something is to be told, and no timer runs for it

	mu      lock.Mutex[lock.Room]
	entries []*Entry
	version uint64 // of everything, and
	comings uint64 // of who is here; both count changes
	log     []change
	held    []*Entry // change too often
	full    list     // the latest encoding
	since   []change // between it and log
	folding folder
	deltas  []*Watcher // those who get changes
	fresh   []*Watcher // and those of them whose list is newer than the log's beginning
	lists   []*Watcher // those who get lists
	room    time.Time  // when the next list may go, whoever it is for

	// A timer runs that is due before anybody may hear who came or went, or who is busy.
	timed, timedStatus bool

	tell teller
}

// Entry is one user.
type Entry struct {
	id   string
	user protocol.UserEntry

	// Guarded by Roster.mu.
	pos    int
	status string // as it is told; "": gone
	wanted string // as it is, where held
	held   bool
	paid   time.Time // changes are paid for until then
	locked mark

	// The teller's.
	at    int // in its picture; -1: not there
	shown string
	mark  mark
}

// change is what has happened to one user; an empty status is that of somebody who is not here.
type change struct {
	e        *Entry
	from, to string
}

// Watcher is somebody who is told, by a connection. Its fields are guarded by Roster.mu.
type Watcher struct {
	to    protocol.Conn
	in    *[]*Watcher // of the three; nil: none
	pos   int
	base  uint64    // of a fresh one: the version of its list
	seen  uint64    // version of a plain client's last list, and
	knows uint64    // of the comings in it
	soon  time.Time // when it may get another because somebody came or went, and
	late  time.Time // because somebody is busy or free
}

// New returns an empty roster. A client gets lists and changes at most once in an interval.
func New(listEvery, deltaEvery time.Duration) *Roster {
	r := &Roster{listEvery: listEvery, deltaEvery: deltaEvery, wake: make(chan struct{}, 1), version: 1, comings: 1}
	r.tell.version, r.tell.told = r.version, r.version
	return r
}

func (r *Roster) noteLocked(e *Entry, to string) {
	from := e.status
	e.status = to
	r.version++
	if from == "" || to == "" {
		r.comings++
	}
	r.log = append(r.log, change{e, from, to})
	// A timer that runs is soon enough, unless newcomers would be told so much one by one. Waking the teller costs more than
	// all of this.
	coming := from == "" || to == ""
	if len(r.log) > r.manyLocked() || r.watchedLocked() && !r.timed && (coming || !r.timedStatus) {
		r.wakeLocked()
	}
}

func (r *Roster) watchedLocked() bool { return len(r.deltas)+len(r.fresh)+len(r.lists) > 0 }

func (r *Roster) wakeLocked() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Add brings a user in; lookalike is whether the name can be taken for that of another who is here.
func (r *Roster) Add(id, name string, lookalike bool, status string) *Entry {
	e := &Entry{id: id, user: protocol.NewUserEntry(id, name, lookalike), at: -1}
	r.mu.Lock()
	defer r.mu.Unlock()
	e.pos = len(r.entries)
	r.entries = append(r.entries, e)
	r.noteLocked(e, status)
	return e
}

// Set notes a user's status.
func (r *Roster) Set(e *Entry, status string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case e.status == "":
	case e.held:
		e.wanted = status
	case status == e.status:
	case e.payLocked(now):
		r.noteLocked(e, status)
	default:
		e.held, e.wanted = true, status
		r.held = append(r.held, e)
		if r.watchedLocked() && !r.timed && !r.timedStatus {
			r.wakeLocked()
		}
	}
}

// payLocked takes one change from what a user has saved up, if it has.
func (e *Entry) payLocked(now time.Time) bool {
	paid := e.paid
	if least := now.Add(-changeBurst * changeEvery); paid.Before(least) {
		paid = least
	}
	if paid = paid.Add(changeEvery); paid.After(now) {
		return false
	}
	e.paid = paid
	return true
}

// Remove lets a user go.
func (r *Roster) Remove(e *Entry) {
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
	r.noteLocked(e, "")
}

// Attach gives a connection the list and keeps it up to date from there, by changes or else by lists. Whoever calls it
// flushes the connection.
func (r *Roster) Attach(w *Watcher, to protocol.Conn, changes bool, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.to = to
	first, news, current := r.firstLocked(now)
	if changes {
		first.Kind, first.Size = protocol.Text, 0 // changes follow: it cannot be replaced
		w.base = r.version
		r.fresh = w.joinLocked(&r.fresh)
	} else {
		w.seen, w.knows = r.version, r.comings
		if !current { // it mends the rest by itself, with its next list
			w.seen, w.knows = r.full.version, r.full.comings
		}
		r.toldLocked(w, first.Size, now)
		r.lists = w.joinLocked(&r.lists)
		news = protocol.Frame{}
	}
	to.Push(first)
	if len(news.Data) > 0 {
		to.Push(news)
	}
	if !current && !changes || r.full.data == nil && len(r.entries) > smallRoster {
		r.wakeLocked()
	}
}

// firstLocked is a newcomer's list, and the changes that make it current if it is not.
func (r *Roster) firstLocked(now time.Time) (first, news protocol.Frame, current bool) {
	if len(r.entries) <= smallRoster || r.full.data == nil {
		l := encode(nil, func(yield func(protocol.UserEntry, string) bool) {
			for _, e := range r.entries {
				if !yield(e.user, e.status) {
					return
				}
			}
		})
		if len(r.entries) > smallRoster { // nobody has watched until now
			l.version, l.comings, l.at = r.version, r.comings, now
			r.full, r.since = l, nil
		}
		return l.frame(nil), protocol.Frame{}, true
	}
	all := r.folding.fold(lockedMark, r.since, r.newerLocked())
	joined, rest := r.folding.parts.Joined[:0], all[:0]
	for _, ch := range all {
		if ch.from == "" && ch.to != "" {
			joined = protocol.AppendUser(joined, ch.e.user, ch.to)
		} else {
			rest = append(rest, ch)
		}
	}
	r.folding.parts.Joined = joined
	first = r.full.frame(joined)
	news = r.folding.delta(rest)
	return first, news, len(news.Data) == 0
}

// newerLocked is what of the log is newer than the latest encoding.
func (r *Roster) newerLocked() []change {
	start := r.version - uint64(len(r.log))
	return r.log[max(r.full.version, start)-start:]
}

// manyLocked is after how many changes there is a new encoding: each newcomer looks through them while the lock is held.
func (r *Roster) manyLocked() int { return min(max(smallRoster/2, len(r.entries)/256), smallRoster) }

func (w *Watcher) joinLocked(in *[]*Watcher) []*Watcher {
	w.in, w.pos = in, len(*in)
	return append(*in, w)
}

// Detach ends that.
func (r *Roster) Detach(w *Watcher) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.in == nil {
		return
	}
	in := *w.in
	last := len(in) - 1
	in[w.pos] = in[last]
	in[w.pos].pos = w.pos
	in[last] = nil
	*w.in, w.in = in[:last], nil
}

// toldLocked notes that a plain client gets a list.
func (r *Roster) toldLocked(w *Watcher, size int, now time.Time) {
	every := time.Duration(size) * time.Second
	wait := max(r.listEvery, every/bytesToOne)
	w.soon, w.late = now.Add(wait), now.Add(max(wait, changeEvery, min(every/statusToOne, statusWithin)))
	r.spendLocked(size, now)
}

// spendLocked takes bytes from what all lists together may be.
func (r *Roster) spendLocked(size int, now time.Time) {
	if least := now.Add(-burst); r.room.Before(least) {
		r.room = least
	}
	r.room = r.room.Add(time.Duration(size) * time.Second / bytesInAll)
}
