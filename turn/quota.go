package turn

// This file keeps one user, or all together, from taking more than their share.

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"duet/internal/lock"
	"duet/internal/peraddr"
)

// gcra lets so many units pass each second, and one second's worth at once. Zero units: no limit. It is the generic cell
// rate algorithm on one word, so that packets take no lock.
type gcra struct {
	perSecond int64
	due       atomic.Int64 // when everything taken so far will have been earned, in ns
}

func (r *gcra) take(n int, now int64) bool {
	if r.perSecond == 0 {
		return true
	}
	cost := int64(n) * int64(time.Second) / r.perSecond
	for {
		due := r.due.Load()
		next := max(due, now) + cost
		if next-now > int64(time.Second) && due > now {
			return false
		}
		if r.due.CompareAndSwap(due, next) {
			return true
		}
	}
}

// trafficLimit bounds what passes in bytes and packets.
type trafficLimit struct{ bytes, packets gcra }

func (m *trafficLimit) take(n int, now int64) bool {
	return m.bytes.take(n, now) && m.packets.take(1, now)
}

func (m *trafficLimit) set(bytes, packets int64) {
	m.bytes.perSecond, m.packets.perSecond = bytes, packets
}

// userQuota is the share of one user of ours, while it has an allocation. Of other names nobody knows how many people are
// behind them: there each allocation has a share by itself, and of static users, whom the operator has set up, none is
// bounded.
type userQuota struct {
	user    string
	traffic trafficLimit

	// guarded by quotas.mu
	live     []*allocation
	reserved int // ports
}

// quotas is fixed after New, but for the maps.
type quotas struct {
	perUser, perIP, total int // allocations; 0: no limit
	bytes, packets        int64
	all                   trafficLimit
	open                  bool // anybody may be a user of ours
	commons               commons

	mu    lock.Mutex[lock.Leaf] // guards what follows
	users map[string]*userQuota // of ours
	byIP  peraddr.Counter       // allocations, and ports that are reserved
	held  int                   // of them in all
}

// The bounds that may refuse an allocation, by the keys that set them; also the label of the metric that counts them.
const (
	boundUser  = "user_allocations"
	boundIP    = "allocations_per_ip"
	boundTotal = "total_allocations"
)

func newQuotas(c Config, open bool) *quotas {
	a := &quotas{
		perUser: c.UserAllocations, perIP: c.AllocationsPerIP, total: c.TotalAllocations, bytes: c.UserBytesPerSecond, packets: c.UserPPS,
		users: map[string]*userQuota{}, open: open,
	}
	a.commons.all.perSecond = c.OpenBytesPerSecond
	a.all.set(c.TotalBytesPerSecond, c.TotalPPS)
	return a
}

// admits says whether who may have so many more allocations from an address, else the code of the refusal and the bound.
func (q *quotas) admits(who identity, from netip.Addr, more int) (code int, bound string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.admitsLocked(who, from, more)
}

func (q *quotas) admitsLocked(who identity, from netip.Addr, more int) (code int, bound string) {
	switch {
	case q.total > 0 && q.held+more > q.total:
		return codeCapacity, boundTotal
	case q.perUser > 0 && who.own() && q.users[who.user].count()+more > q.perUser:
		return codeQuota, boundUser
	case q.perIP > 0 && (q.perIP < more || !q.byIP.Fits(from, q.perIP-more+1)):
		return codeQuota, boundIP
	}
	return 0, ""
}

// count is how many allocations count for the user: those that have been ended are the library's for a moment more.
func (u *userQuota) count() int {
	if u == nil {
		return 0
	}
	n := u.reserved
	for _, a := range u.live {
		if !a.isOver() {
			n++
		}
	}
	return n
}

// goneAfter is how long a client that is there is not silent: consent is asked for every five seconds (RFC 7675).
const goneAfter = 30 * time.Second

// longestSilent is the allocation of a user of ours that has to give way to a new one, since its client seems to be gone: the
// one that has relayed nothing from it for the longest time, or nothing ever. nil: all are in use.
func (q *quotas) longestSilent(who identity, now int64) (found *allocation) {
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.users[who.user]
	if u == nil {
		return nil
	}
	since := int64(0)
	for _, a := range u.live { // the oldest first
		sent := a.lastSent.Load()
		if a.isOver() || sent > 0 && now-sent < int64(goneAfter) {
			continue
		}
		if found == nil || sent < since {
			found, since = a, sent
		}
	}
	return found
}

// ofUser are the allocations of a user of ours.
func (q *quotas) ofUser(user string) []*allocation {
	q.mu.Lock()
	defer q.mu.Unlock()
	if u := q.users[user]; u != nil {
		return slices.Clone(u.live)
	}
	return nil
}

// enter books an allocation, or a reserved port, which is nil; the userQuota lasts until the last one is over. It is nil if
// what was admitted has become one too many, because another gate was faster.
func (q *quotas) enter(who identity, from netip.Addr, a *allocation, more int) *userQuota {
	q.mu.Lock()
	defer q.mu.Unlock()
	if code, _ := q.admitsLocked(who, from, more); code != 0 {
		return nil
	}
	u := q.users[who.user]
	if u == nil {
		u = &userQuota{user: who.user}
		if !who.static() {
			u.traffic.set(q.bytes, q.packets)
		}
		if who.own() {
			q.users[who.user] = u
		}
	}
	if a == nil {
		u.reserved++
	} else {
		u.live = append(u.live, a)
	}
	q.byIP.Add(from)
	q.held++
	return u
}

func (q *quotas) leave(u *userQuota, from netip.Addr, a *allocation) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held--
	q.byIP.Remove(from)
	if a == nil {
		u.reserved--
	} else {
		u.live = slices.DeleteFunc(u.live, func(b *allocation) bool { return a == b })
	}
	if len(u.live)+u.reserved == 0 && q.users[u.user] == u {
		delete(q.users, u.user)
	}
}

// pass books n bytes to be relayed for a and says whether they may be.
func (q *quotas) pass(a *allocation, n int, now int64) bool {
	return a.quota.traffic.take(n, now) && q.commons.take(a.plots, n, now) && q.all.take(n, now)
}
