package signaling

// This file bounds how often users join, ring and are rung.

import (
	"time"

	"duet/signaling/call"
	"duet/signaling/protocol"
)

// pace is a rate limit with a burst (the generic cell rate algorithm): the time,
// since Hub.began, at which all of the burst will be there again.
type pace time.Duration

// take takes one if there is one, else it says how long that will be.
func (p *pace) take(now, every time.Duration, burst int) (wait time.Duration) {
	whole := max(time.Duration(*p), now) + every
	if wait = whole - now - time.Duration(burst)*every; wait > 0 {
		return wait
	}
	*p = pace(whole)
	return 0
}

// How often a user may ring, and be rung by all others together.
const (
	ringEvery, ringBurst = time.Second, 5
	rungEvery, rungBurst = time.Second / 2, 10
)

// paced says how long to wait with a message that has a rate of its own. 0 counts it.
func (st *step) paced(c *conn, req protocol.Request) time.Duration {
	switch req.(type) {
	case joinRequest:
		return st.limits.MayJoin(c.ip, st.now)
	case protocol.CallRequest:
		return st.ringWait(c)
	}
	return 0
}

// ringWait takes one ring from the user's and the address's, or says how long to
// wait for one.
func (st *step) ringWait(c *conn) time.Duration {
	wait := c.session.rings.take(st.now.Sub(st.began), ringEvery, ringBurst)
	if wait == 0 && !st.limits.MayRing(c.ip, st.now) {
		wait = ringEvery
	}
	return wait
}

// ruleLimits are what the rules ask of sessions. Hub.mu is held.
type ruleLimits struct{ *Hub }

// MayRing implements [call.Limits].
func (h ruleLimits) MayRing(u *call.User) bool {
	s := h.sessions[u.ID]
	return s == nil || h.MayDeliver(u) && s.rung.take(time.Since(h.began), rungEvery, rungBurst) == 0
}

// MayDeliver implements [call.Limits]: half of what is kept for a client is for
// the server's own messages, which cannot be refused.
func (h ruleLimits) MayDeliver(u *call.User) bool {
	s, is := u.Session.(*session)
	return !is || len(s.outbox) <= h.cfg.OutboxMessages/2 && s.outboxBytes <= h.cfg.OutboxBytes/2 // the echo user keeps up
}
