package turn

// This file keeps one user, or all together, from taking more than their share.

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

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

// userQuota is one user's share, while it has an allocation.
type userQuota struct {
	user        string
	allocations int // guarded by quotas.mu
	traffic     trafficLimit
}

// quotas is fixed after New, but for the maps.
type quotas struct {
	perUser, perIP, total int // allocations; 0: no limit
	bytes, packets        int64
	all                   trafficLimit

	mu    sync.Mutex // a leaf; guards what follows
	users map[string]*userQuota
	byIP  peraddr.Counter // allocations
	open  int
}

// The bounds that may refuse an allocation, by the keys that set them; also the label of the metric that counts them.
const (
	boundUser  = "user_allocations"
	boundIP    = "allocations_per_ip"
	boundTotal = "total_allocations"
)

func newQuotas(c Config) *quotas {
	a := &quotas{
		perUser: c.UserAllocations, perIP: c.AllocationsPerIP, total: c.TotalAllocations, bytes: c.UserBytesPerSecond, packets: c.UserPPS,
		users: map[string]*userQuota{},
	}
	a.all.set(c.TotalBytesPerSecond, c.TotalPPS)
	return a
}

// admits says whether who may have one more allocation from an address, else the code of the refusal and the bound. Static
// users are software that the operator has set up, with many people behind one name, which is not bounded.
func (a *quotas) admits(who identity, from netip.Addr) (code int, bound string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.users[who.user]
	switch {
	case a.total > 0 && a.open >= a.total:
		return codeCapacity, boundTotal
	case a.perUser > 0 && u != nil && u.allocations >= a.perUser && !who.static():
		return codeQuota, boundUser
	case !a.byIP.Fits(from, a.perIP):
		return codeQuota, boundIP
	}
	return 0, ""
}

// knows says whether a user has allocations.
func (a *quotas) knows(user string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.users[user] != nil
}

// enter books an allocation; the userQuota lasts until the last one is closed.
func (a *quotas) enter(who identity, from netip.Addr) *userQuota {
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.users[who.user]
	if u == nil {
		u = &userQuota{user: who.user}
		if !who.static() {
			u.traffic.set(a.bytes, a.packets)
		}
		a.users[who.user] = u
	}
	u.allocations++
	a.byIP.Add(from)
	a.open++
	return u
}

func (a *quotas) leave(u *userQuota, from netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open--
	a.byIP.Remove(from)
	if u.allocations--; u.allocations == 0 {
		delete(a.users, u.user)
	}
}

// pass books n bytes to be relayed for u and says whether they may be.
func (a *quotas) pass(u *userQuota, n int, now int64) bool {
	return u.traffic.take(n, now) && a.all.take(n, now)
}
