package relay

// The offers of a room's two users: what they wait for, and what each is answered with.

import (
	"errors"
	"slices"
	"time"

	"duet/relay/plane"
)

const (
	// pairWait is how long a first offer waits for the other user's, so that both are answered with the same codecs.
	pairWait = 3 * time.Second
	// answerTime is how long pion may take for an answer: some milliseconds on a usual day.
	answerTime = 10 * time.Second
)

// negotiation belongs to the room's goroutine.
type negotiation struct {
	offers  [2]*offer      // the newest of each user
	pending []pendingOffer // one of each user at most, in the order in which they came
	alone   bool           // the other's offer has been waited for long enough
	agreed  [2][]section   // what each side's leg was answered with
}

// pendingOffer is an offer that is not answered yet.
type pendingOffer struct {
	*offer
	side  plane.Side
	reply func(event, detail string)
}

// offer queues an offer; reply is called once by the room's goroutine, unless the room fails or is closed before.
func (r *room) offer(user, text string, reply func(event, detail string)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	side, ok := r.sideLocked(user)
	switch {
	case !ok:
		return errThirdParty
	case r.over:
		return ErrNoRoom
	case !r.s.shares.mayOffer(user, time.Now()):
		return reason("too many offers")
	}
	r.doLocked(func() {
		o, err := parseOffer(text)
		if l := r.leg(side); err == nil && l != nil && l.identity == o.identity {
			err = o.read(l.agreed)
		}
		if err != nil {
			reply(unanswered(err))
			return
		}
		r.received(pendingOffer{o, side, reply})
	})
	return nil
}

const errThirdParty = reason("this call has two other parties")

// reason is an error whose text may be shown to the client whose offer it is about.
type reason string

func (r reason) Error() string { return string(r) }

// unanswered is the event of an offer that is not answered, and its detail.
func unanswered(err error) (event, detail string) {
	if r, ok := errors.AsType[reason](err); ok {
		return Unfit, r.Error()
	}
	if m, ok := errors.AsType[mismatch](err); ok {
		return Unfit, m.Error()
	}
	return Refused, err.Error()
}

// received takes the place of an offer that the same user has made before and that still waits.
func (r *room) received(p pendingOffer) {
	r.pending = slices.DeleteFunc(r.pending, func(old pendingOffer) bool {
		if old.side == p.side {
			old.reply(Superseded, "")
		}
		return old.side == p.side
	})
	r.pending = append(r.pending, p)
	r.offers[p.side] = p.offer
	if r.offers[r.across(p.side)] != nil || r.alone {
		r.answerPending()
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over && r.timers[pairTimer] == nil {
		r.timers[pairTimer] = time.AfterFunc(pairWait, func() { r.do(r.answerPending) })
	}
}

func (r *room) answerPending() {
	r.alone = true
	all := r.pending
	r.pending = nil
	for _, p := range all {
		r.answer(p)
	}
}

func (r *room) answer(p pendingOffer) {
	l, fresh := r.place(p.side, p.identity)
	if l == nil {
		return // the room is over, which is told by itself
	}
	answer, err := l.answer(p.offer)
	if err != nil {
		r.log.Warn("relay could not answer", "side", p.side, "err", err)
		if fresh { // a leg that was answered before goes on as it was
			r.lost(l)
		}
		p.reply(unanswered(err))
		if codec := mismatch(""); fresh && errors.As(err, &codec) {
			// The other user was answered before this one offered. Asked for anew, both are answered with what they share.
			r.fail("the two ends do not share " + string(codec))
		}
		return
	}
	p.reply(Answered, answer)
}

// commit cuts an offer down to what the other user speaks: what it was answered with or, before that, what it offers.
func (r *room) commit(side plane.Side, o *offer) ([]section, error) {
	other := r.agreed[side.Other()]
	if other == nil && r.offers[r.across(side)] != nil {
		other = r.offers[r.across(side)].sections
	}
	var sections []section
	speak := false
	for i := range o.sections {
		// A section that the other end does not have yet, it may have later.
		s := intersect(&o.sections[i], find(other, o.sections[i].kind))
		speak = speak || len(s.codecs) > 0
		sections = append(sections, s)
	}
	if !speak {
		return nil, reason("the two ends have no codec in common")
	}
	if codec := uncommonCodec(r.agreed[side.Other()], sections); codec != "" {
		return nil, mismatch(codec)
	}
	r.agreed[side] = sections
	return sections, nil
}

// mismatch is a codec that the other end was promised, and which this one lacks.
type mismatch string

func (m mismatch) Error() string { return "the other end already speaks " + string(m) }

// rollBack takes back what commit has noted for a leg.
func (r *room) rollBack(l *leg) { r.agreed[l.side] = l.agreed }

// continues reports whether an offer has all sections of the one before, in the same order.
func continues(before, now []section) bool {
	for _, s := range now {
		if len(before) > 0 && s.mid == before[0].mid {
			before = before[1:]
		}
	}
	return len(before) == 0
}

// uncommonCodec is a codec that a user who was answered with these sections will send, and which mine lack; empty if none.
func uncommonCodec(theirs, mine []section) string {
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
