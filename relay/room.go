package relay

// One relayed call: two parties, their track states and their legs.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"duet/relay/plane"
)

const (
	// pairWait is how long a first offer waits for the other party's, so that both are answered with the same codecs.
	pairWait = 3 * time.Second
	// connectWait is how long both parties have to connect, from the opening of the room.
	connectWait = 30 * time.Second
	// returnWait is how long a party whose connection is lost has to make a new one.
	returnWait = 15 * time.Second
	// quietWait: a connected leg that sends nothing this long has nothing to send, and counts as carrying media.
	quietWait = 2 * time.Second

	// An offer costs as much as a thousand packets; no honest party makes more of them than this.
	offerRate  = 1 // a second
	offerBurst = 20
)

type room struct {
	s      *Server
	call   string
	log    *slog.Logger
	notify func(event, detail string)
	tr     *plane.Call
	paired chan struct{} // closed when both parties have offered
	opened time.Time

	telling sync.Mutex // one notify at a time

	mu      sync.Mutex
	parties [2]string
	offers  [2]*offer // the newest of each party
	rates   [2]*rate.Limiter
	spoken  [2][]section // what its leg was answered with
	legs    [2]*leg
	ready   bool
	over    bool // failed or closed
	closed  bool
	timers  [3]*time.Timer // connect, and each party's return
	quiet   *time.Timer
}

func newRoom(s *Server, call string, notify func(event, detail string)) *room {
	r := &room{
		s: s, call: call, notify: notify, log: s.log.With("call", call),
		tr: s.plane.NewCall(), paired: make(chan struct{}), opened: time.Now(),
	}
	r.tr.Limit(s.cfg.CallBytesPerSecond)
	for i := range r.rates {
		r.rates[i] = rate.NewLimiter(offerRate, offerBurst)
	}
	r.mu.Lock() // the timer's function must see the timer
	defer r.mu.Unlock()
	r.timers[2] = time.AfterFunc(connectWait, func() { r.fail("the parties did not connect to the relay in time") })
	return r
}

// sideLocked finds or gives a party its place. A call has two.
func (r *room) sideLocked(party string) (plane.Side, bool) {
	for i := range r.parties {
		if r.parties[i] == party || r.parties[i] == "" {
			r.parties[i] = party
			return plane.Side(i), true
		}
	}
	return 0, false
}

func (r *room) mute(party string, k plane.Kind, on bool) {
	r.mu.Lock()
	side, ok := r.sideLocked(party)
	r.mu.Unlock()
	if ok {
		r.tr.SetOn(side, k, on)
		r.askKeyFrames(side)
	}
}

var errStrange = errors.New("this call has two other parties")

func (r *room) answer(ctx context.Context, party, text string) (string, error) {
	o, err := parseOffer(text)
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	side, ok := r.sideLocked(party)
	if !ok || r.over {
		r.mu.Unlock()
		if !ok {
			return "", errStrange
		}
		return "", ErrNoRoom
	}
	if !r.rates[side].Allow() {
		r.mu.Unlock()
		return "", errors.New("too many offers")
	}
	r.offers[side] = o
	if r.offers[side.Other()] != nil {
		select {
		case <-r.paired:
		default:
			close(r.paired)
		}
	}
	r.mu.Unlock()

	wait := time.NewTimer(pairWait)
	defer wait.Stop()
	select {
	case <-r.paired:
	case <-wait.C:
	case <-ctx.Done():
		return "", ctx.Err()
	}

	r.mu.Lock()
	if r.over {
		r.mu.Unlock()
		return "", ErrNoRoom
	}
	if r.offers[side] != o {
		r.mu.Unlock()
		return "", nil
	}
	l := r.legs[side]
	var old *leg
	fresh := l == nil || l.identity != o.identity
	if fresh {
		old, l = l, newLeg(r, side, o.identity)
		r.legs[side] = l
	}
	if t := r.timers[side]; t != nil {
		t.Stop()
		r.timers[side] = nil
	}
	r.mu.Unlock()
	if old != nil {
		r.tr.SetLeg(side, nil)
		old.close()
	}
	answer, err := l.answer(ctx, o)
	if err != nil {
		r.mu.Lock()
		replaced := !r.over && r.offers[side] != o
		r.mu.Unlock()
		if replaced { // and its leg closed under it
			return "", nil
		}
		r.log.Warn("relay could not answer", "party", party, "error", err)
		if fresh { // a leg that was answered before goes on as it was
			r.lost(l)
		}
		return "", err
	}
	return answer, nil
}

// agree cuts an offer down to what the other party speaks: what it was answered with or, before that, what it offers.
// fresh says that it is the first offer of its connection.
func (r *room) agree(side plane.Side, o *offer, fresh bool) ([]section, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	other := r.spoken[side.Other()]
	if other == nil && r.offers[side.Other()] != nil {
		other = r.offers[side.Other()].sections
	}
	var sections []section
	speak := false
	for i := range o.sections {
		// A section that the other end does not have yet, it may have later.
		s := common(&o.sections[i], find(other, o.sections[i].kind))
		speak = speak || len(s.codecs) > 0
		sections = append(sections, s)
	}
	if !speak {
		return nil, errors.New("the two ends have no codec in common")
	}
	if strange := foreign(r.spoken[side.Other()], sections); strange != "" {
		if fresh {
			// The other party was answered before this one offered. Asked for anew, both are answered with what they share.
			r.s.wg.Go(func() { r.fail("the two ends do not share " + strange) })
		}
		return nil, fmt.Errorf("the other end already speaks %s", strange)
	}
	r.spoken[side] = sections
	return sections, nil
}

// disagree takes back what agree has noted for a leg.
func (r *room) disagree(l *leg) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.legs[l.side] == l {
		r.spoken[l.side] = l.agreed
	}
}

// continues reports whether an offer has all sections of the one before, in the same order.
func continues(before, now []section) bool {
	return len(now) >= len(before) && slices.EqualFunc(before, now[:len(before)], func(a, b section) bool { return a.kind == b.kind })
}

// foreign is a codec that a party which was answered with these sections will send, and which mine lack; empty if none.
func foreign(theirs, mine []section) string {
	for _, s := range theirs {
		m := find(mine, s.kind)
		if m == nil || len(s.codecs) == 0 || len(m.codecs) == 0 || !s.sends {
			continue
		}
		first := s.codecs[0].name
		if !slices.ContainsFunc(m.codecs, func(c codec) bool { return c.name == first }) {
			return first
		}
	}
	return ""
}

// leg is the leg of a side, or nil.
func (r *room) leg(side plane.Side) *leg {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.legs[side]
}

// reached says whether a party's leg is connected.
func (r *room) reached(party string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	side := slices.Index(r.parties[:], party)
	return side >= 0 && r.legs[side] != nil && r.legs[side].connected.Load()
}

// progress looks whether both legs carry media by now; it is called when a leg connects and when it sends for the first time.
func (r *room) progress() {
	r.mu.Lock()
	now := r.s.now()
	all, carry := true, true
	var wait time.Duration
	for _, l := range r.legs {
		if l == nil || !l.connected.Load() {
			all = false
			continue
		}
		if !l.heard.Load() {
			if rest := l.since() + quietWait - now; rest > 0 {
				carry, wait = false, max(wait, rest)
			}
		}
	}
	if r.over || r.ready || !all {
		r.mu.Unlock()
		return
	}
	if !carry {
		if r.quiet != nil {
			r.quiet.Stop()
		}
		r.quiet = time.AfterFunc(wait+time.Millisecond, r.progress)
		r.mu.Unlock()
		return
	}
	r.ready = true
	r.stopTimerLocked(2)
	r.mu.Unlock()
	r.log.Info("relay ready")
	r.tell("ready", "")
}

func (r *room) stopTimerLocked(i int) {
	if r.timers[i] != nil {
		r.timers[i].Stop()
		r.timers[i] = nil
	}
}

// lost is told by a leg whose connection failed or was closed by the client. The party may come back with a new one.
func (r *room) lost(l *leg) {
	r.mu.Lock()
	if r.over || r.legs[l.side] != l {
		r.mu.Unlock()
		return
	}
	r.legs[l.side] = nil
	r.s.wg.Add(1) // before the room can end, which Run waits for first
	defer r.s.wg.Done()
	if r.timers[l.side] == nil {
		party := r.parties[l.side]
		r.timers[l.side] = time.AfterFunc(returnWait, func() {
			r.fail(fmt.Sprintf("the connection of %s to the relay was lost", party))
		})
	}
	r.mu.Unlock()
	r.log.Info("relay leg lost", "side", l.side)
	r.tr.SetLeg(l.side, nil)
	l.close()
}

// fail ends the room's work. It stays, empty, until it is closed.
func (r *room) fail(reason string) {
	if r.end(false) {
		r.s.metrics.failures.Inc()
		r.log.Warn("relay failed", "reason", reason)
		r.tell("failed", reason)
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
	r.mu.Unlock()
	for side, l := range legs {
		if l != nil {
			r.tr.SetLeg(plane.Side(side), nil)
			l.close()
		}
	}
	if last {
		r.s.metrics.calls.Dec()
		r.summarize(ready)
	}
	return first
}

// summarize tells what the call was like: a line for the operator and a sample for the histograms.
func (r *room) summarize(ready bool) {
	a, b := r.tr.Counts(0), r.tr.Counts(1)
	rtt := a.RTT + b.RTT // each is between the relay and one end
	r.log.Info("relay call ended", "ready", ready, "duration", time.Since(r.opened).Round(time.Millisecond),
		"packets", a.Packets+b.Packets, "bytes", a.Bytes+b.Bytes,
		"loss_pct_a", percent(a), "loss_pct_b", percent(b), "rtt", rtt.Round(100*time.Microsecond),
		"key_requests", a.KeyRequests+b.KeyRequests)
	for _, c := range []plane.Counts{a, b} {
		if c.Packets > 0 {
			r.s.metrics.loss.Observe(percent(c) / 100)
		}
	}
	if a.RTT > 0 && b.RTT > 0 {
		r.s.metrics.rtt.Observe(rtt.Seconds())
	}
}

// percent is how much of what a leg sent did not reach the other end.
func percent(c plane.Counts) float64 {
	if c.Packets == 0 || c.Lost <= 0 {
		return 0
	}
	return math.Round(10000*float64(c.Lost)/float64(c.Packets)) / 100
}

// tell calls notify, unless the room was closed meanwhile.
func (r *room) tell(event, detail string) {
	r.telling.Lock()
	defer r.telling.Unlock()
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if !closed && r.notify != nil {
		r.notify(event, detail)
	}
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
