package turn

// This file keeps the second port of a pair (EVEN-PORT, RFC 8656 section 18.5) until its client asks for it.

import (
	"net/netip"
	"time"

	"duet/internal/lock"
)

// reservationLifetime is how long a port is kept, as long as the library keeps its token.
const reservationLifetime = 30 * time.Second

// reservations are ports that wait for their token. The relay table holds them as taken, and they count as allocations.
type reservations struct {
	relays *relayTable
	quotas *quotas

	mu      lock.Mutex[lock.Leaf] // guards byToken
	byToken map[string]reservation
}

type reservation struct {
	relay  netip.AddrPort
	quota  *userQuota
	client netip.Addr
}

func newReservations(relays *relayTable, quotas *quotas) *reservations {
	return &reservations{relays: relays, quotas: quotas, byToken: map[string]reservation{}}
}

func (r *reservations) put(token string, reserved reservation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byToken[token] = reserved
	time.AfterFunc(reservationLifetime, func() {
		if relay, ok := r.take(token); ok {
			r.relays.release(relay)
		}
	})
}

// take gives the port out: it is no longer reserved.
func (r *reservations) take(token string) (netip.AddrPort, bool) {
	r.mu.Lock()
	reserved, ok := r.byToken[token]
	delete(r.byToken, token)
	r.mu.Unlock()
	if ok {
		r.quotas.leave(reserved.quota, reserved.client, nil)
	}
	return reserved.relay, ok
}

func (r *reservations) known(token string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.byToken[token]
	return ok
}
