package relay

// One relayed call: two users, their legs, how long they have for what, and the order in which all of it happens.

import (
	"fmt"
	"log/slog"
	"time"

	"duet/internal/lock"
	"duet/relay/plane"
)

const (
	// connectWait is how long both users have to connect, from the opening of the room.
	connectWait = 30 * time.Second
	// returnWait is how long a user whose connection is lost has to make a new one.
	returnWait = 15 * time.Second
	// quietWait: a connected leg that sends nothing this long has nothing to send, and counts as carrying media.
	quietWait = 2 * time.Second
)

// room has one goroutine at a time, while there is something to do: it answers offers and tells what becomes of them.
type room struct {
	s      *Server
	call   string
	lease  *lease
	log    *slog.Logger
	notify Notify
	tr     *plane.Call
	opened time.Time
	loop   bool // the one user hears and sees itself

	mu      lock.Mutex[lock.Room]
	users   [2]string
	legs    [2]*leg
	ready   bool
	over    bool // failed or closed
	closed  bool
	timers  [4]*time.Timer // each user's return, connect, and the wait for the other's offer
	quiet   *time.Timer
	queue   []func()
	working bool

	negotiation // of the goroutine that works the queue off
}

// The timers beside those of the two sides.
const (
	connectTimer = 2 + iota
	pairTimer
)

func newRoom(s *Server, call string, l *lease, loop bool, notify Notify) *room {
	r := &room{s: s, call: call, lease: l, users: l.users, loop: loop, notify: notify, log: s.log.With("call", call), tr: s.plane.NewCall(), opened: time.Now()}
	r.tr.Limit(s.cfg.CallBytesPerSecond)
	if loop {
		r.users[1] = r.users[0] // there is no place for another
		r.tr.Loop()
	}
	r.mu.Lock() // the timer's function must see the timer
	defer r.mu.Unlock()
	r.timers[connectTimer] = time.AfterFunc(connectWait, func() {
		r.s.shares.giveBack(r.lease, true, time.Now())
		r.fail("the parties did not connect to the relay in time")
	})
	return r
}

// do has f done by the room's goroutine, after what that was given before. What a closed room was given is not done.
func (r *room) do(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doLocked(f)
}

func (r *room) doLocked(f func()) {
	if r.closed {
		return
	}
	r.queue = append(r.queue, f)
	if !r.working {
		r.working = true
		r.s.wg.Go(r.work) // Run has not begun to wait: it closes its rooms first
	}
}

func (r *room) work() {
	for {
		r.mu.Lock()
		if r.closed || len(r.queue) == 0 {
			r.queue, r.working = nil, false
			r.mu.Unlock()
			return
		}
		f := r.queue[0]
		r.queue = r.queue[1:]
		r.mu.Unlock()
		f()
	}
}

// tell calls notify, unless the room was closed meanwhile. It is called by the room's goroutine alone.
func (r *room) tell(event, user, detail string) {
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if !closed && r.notify != nil {
		r.notify(event, user, detail)
	}
}

// sideLocked finds or gives a user its place. A call has two.
func (r *room) sideLocked(user string) (plane.Side, bool) {
	for i := range r.users {
		if r.users[i] == user || r.users[i] == "" {
			r.users[i] = user
			return plane.Side(i), true
		}
	}
	return 0, false
}

// across is the side that gets what a side sends.
func (r *room) across(side plane.Side) plane.Side {
	if r.loop {
		return side
	}
	return side.Other()
}

// mute makes no system call: the caller has a lock.
func (r *room) mute(user string, k plane.Kind, on bool) {
	r.mu.Lock()
	side, ok := r.sideLocked(user)
	r.mu.Unlock()
	if ok {
		r.tr.SetOn(side, k, on)
		r.do(func() { r.askKeyFrames(side) })
	}
}

// leg is the leg of a side, or nil.
func (r *room) leg(side plane.Side) *leg {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.legs[side]
}

// reached says whether a user's leg is connected.
func (r *room) reached(user string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for side, u := range r.users {
		if u == user && r.legs[side] != nil {
			return r.legs[side].connected.Load()
		}
	}
	return false
}

// place gives a side a leg for an association, and says whether it is a new one. What the one before it sealed is over: the
// translator forgets it in the same step.
func (r *room) place(side plane.Side, identity string) (l *leg, fresh bool) {
	r.mu.Lock()
	if r.over {
		r.mu.Unlock()
		return nil, false
	}
	r.stopTimerLocked(int(side))
	old := r.legs[side]
	if old != nil && old.identity == identity {
		r.mu.Unlock()
		return old, false
	}
	l = newLeg(r, side, identity)
	r.legs[side] = l
	if old != nil {
		r.tr.SetLeg(side, nil)
	}
	r.mu.Unlock()
	if old != nil {
		old.close()
	}
	return l, true
}

// install tells the translator what was negotiated on a leg, if that is still the room's: one that was replaced would make
// its successor's next description a fresh one, whose numbers begin anew under the same keys.
func (r *room) install(l *leg, d *plane.Leg) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.legs[l.side] != l {
		return false
	}
	r.tr.SetLeg(l.side, d)
	return true
}

// progress looks whether both legs carry media by now; it is called when a leg connects and when it sends for the first time.
func (r *room) progress() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.s.now()
	all, carry := true, true
	var wait time.Duration
	for side, l := range r.legs {
		if r.loop && side == 1 {
			break
		}
		if l == nil || !l.connected.Load() {
			all = false
			continue
		}
		if !l.mediaSeen.Load() {
			if rest := l.since() + quietWait - now; rest > 0 {
				carry, wait = false, max(wait, rest)
			}
		}
	}
	if r.over || r.ready || !all {
		return
	}
	if !carry {
		if r.quiet != nil {
			r.quiet.Stop()
		}
		r.quiet = time.AfterFunc(wait+time.Millisecond, r.progress)
		return
	}
	r.ready = true
	r.stopTimerLocked(connectTimer)
	r.doLocked(func() {
		r.log.Info("relay ready")
		r.tell(Ready, "", "")
	})
}

func (r *room) stopTimerLocked(i int) {
	if r.timers[i] != nil {
		r.timers[i].Stop()
		r.timers[i] = nil
	}
}

// lost is told by a leg whose connection failed or was closed by the client. The user may come back with a new one.
func (r *room) lost(l *leg) {
	r.mu.Lock()
	if r.over || r.legs[l.side] != l {
		r.mu.Unlock()
		return
	}
	r.legs[l.side] = nil
	r.tr.SetLeg(l.side, nil)
	r.s.wg.Add(1) // before the room can end, which Run waits for first
	defer r.s.wg.Done()
	if r.timers[l.side] == nil {
		user := r.users[l.side]
		r.timers[l.side] = time.AfterFunc(returnWait, func() {
			r.fail(fmt.Sprintf("the connection of %s to the relay was lost", user))
		})
	}
	r.mu.Unlock()
	r.log.Info("relay leg lost", "side", l.side)
	l.close()
}

// fail ends the room's work. It stays, empty, until it is closed.
func (r *room) fail(reason string) {
	if r.end(false) {
		r.do(func() {
			r.s.metrics.failures.Inc()
			r.log.Warn("relay failed", "reason", reason)
			r.tell(Failed, "", reason)
		})
	}
}

func (r *room) close() { r.end(true) }

// end stops everything once; it reports whether this call did it.
func (r *room) end(closed bool) bool {
	r.mu.Lock()
	first := !r.over
	last := closed && !r.closed
	r.closed = r.closed || closed
	ready := r.ready
	r.over = true
	for i := range r.timers {
		r.stopTimerLocked(i)
	}
	if r.quiet != nil {
		r.quiet.Stop()
	}
	legs := r.legs
	r.legs = [2]*leg{}
	for side, l := range legs {
		if l != nil {
			r.tr.SetLeg(plane.Side(side), nil)
		}
	}
	r.mu.Unlock()
	r.s.shares.giveBack(r.lease, false, time.Now())
	for _, l := range legs {
		if l != nil {
			l.close()
		}
	}
	if last {
		r.s.metrics.calls.Dec()
		r.s.wg.Go(func() { r.summarize(ready) }) // the caller has a lock, and a log may block
	}
	return first
}

// askKeyFrames sends a leg the requests for key frames that are due.
func (r *room) askKeyFrames(side plane.Side) {
	l := r.leg(side)
	if l == nil || !l.connected.Load() {
		return // asked for when it connects
	}
	if ssrcs, some := r.tr.Wanted(side, r.s.now()); some {
		var b []byte
		for _, ssrc := range ssrcs {
			if ssrc != 0 {
				b = r.tr.AppendPLI(side, ssrc, b)
			}
		}
		l.writeRTCP(b)
	}
}
