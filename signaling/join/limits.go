package join

// This file counts the connections of each address, and what it may send.

import (
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"duet/internal/lock"
	"duet/internal/peraddr"
)

// addressFactor is how much looser the rate limit of an address is than that of a user.
const addressFactor = 100

// defaultPerAddress is the bound where the operator has set none.
const defaultPerAddress = 1000

// Limits bound the connections in all and of each customer (see [peraddr]), and the messages of each of the smallest
// networks.
type Limits struct {
	rate  rate.Limit
	burst int

	all, each atomic.Int64 // may be changed at any time

	mu      lock.Mutex[lock.Leaf]
	count   int // connections, those in their handshake included
	from    peraddr.Counter
	budgets map[peraddr.Key]*budget
}

type budget struct {
	limit *rate.Limiter
	rings *rate.Limiter // of calls that are placed
	joins *rate.Limiter
	idle  time.Time // since when the address has no connection; zero: it has
}

// NewLimits takes the bounds of all connections and of one address, 0 for the usual one, and the rate and burst of one user.
func NewLimits(all, each int, perSecond float64, burst int) *Limits {
	l := &Limits{rate: rate.Limit(perSecond), burst: burst, budgets: map[peraddr.Key]*budget{}}
	l.Set(all, each)
	return l
}

// Set changes the bounds for connections to come; those that are there stay.
func (l *Limits) Set(all, each int) {
	l.all.Store(int64(all))
	l.each.Store(int64(each))
}

// PerAddress is how many one address may have; 0 is no bound, as on loopback, where a proxy or a load test sits.
func (l *Limits) PerAddress(ip netip.Addr) int {
	each := int(l.each.Load())
	if each == 0 && !ip.IsLoopback() {
		return defaultPerAddress
	}
	return each
}

// Enter takes a place for a new connection and returns the budget of its address, or the HTTP status of a refusal.
func (l *Limits) Enter(ip netip.Addr) (messages *rate.Limiter, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count >= int(l.all.Load()) {
		return nil, http.StatusServiceUnavailable
	}
	if !l.from.Enter(ip, l.PerAddress(ip)) {
		return nil, http.StatusTooManyRequests
	}
	l.count++
	b := l.budgets[peraddr.Of(ip)]
	if b == nil {
		b = &budget{
			limit: rate.NewLimiter(l.rate*addressFactor, min(l.burst, 1<<24)*addressFactor),
			rings: rate.NewLimiter(ringsPerSecond, ringBurst),
			joins: rate.NewLimiter(rate.Limit(max(joinsPerSecond, l.PerAddress(ip)/50)), max(joinBurst, l.PerAddress(ip)/2)),
		}
		l.budgets[peraddr.Of(ip)] = b
	}
	b.idle = time.Time{}
	return b.limit, 0
}

// The calls that one address may place: as many as a hundred users.
const ringsPerSecond, ringBurst = 100, 500

// The joins of one address: an office that comes in one morning, but nobody who takes all plausible names, or has
// everybody told all the time of who came and went. Where more may connect from one address, more may join.
const joinsPerSecond, joinBurst = 20, 500

// MayRing reports whether an address may place one more call, and counts it. There is no bound on loopback.
func (l *Limits) MayRing(ip netip.Addr, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.budgets[peraddr.Of(ip)]
	return b == nil || ip.IsLoopback() || b.rings.AllowN(now, 1)
}

// MayJoin says how long an address has to wait before it may join once more; 0 counts one. There is no bound on loopback.
func (l *Limits) MayJoin(ip netip.Addr, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.budgets[peraddr.Of(ip)]; b != nil && !ip.IsLoopback() && !b.joins.AllowN(now, 1) {
		return time.Second / joinsPerSecond
	}
	return 0
}

// Leave gives the place back. The address is remembered for a while, so that connecting anew does not refill its budget.
func (l *Limits) Leave(ip netip.Addr, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count--
	l.from.Remove(ip)
	if b := l.budgets[peraddr.Of(ip)]; b != nil && l.from.Count(ip) == 0 {
		b.idle = now
	}
}

// Forget drops addresses that have been quiet for a minute.
func (l *Limits) Forget(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, b := range l.budgets {
		if !b.idle.IsZero() && now.Sub(b.idle) > time.Minute {
			delete(l.budgets, k)
		}
	}
}

// Len is the number of connections.
func (l *Limits) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}
