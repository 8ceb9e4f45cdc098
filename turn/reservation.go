package turn

// This file keeps the second port of a pair (EVEN-PORT, RFC 8656 section 18.5) until its client asks for it.

import (
	"net/netip"
	"sync"
	"time"
)

// reservationLifetime is how long a port is kept, as long as the library keeps its token.
const reservationLifetime = 30 * time.Second

// reservations are ports that wait for their token. The relays holds them as taken.
type reservations struct {
	relays *relayTable

	mu      sync.Mutex // a leaf; guards byToken
	byToken map[string]netip.AddrPort
}

func newReservations(f *relayTable) *reservations {
	return &reservations{relays: f, byToken: map[string]netip.AddrPort{}}
}

func (r *reservations) put(token string, addr netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byToken[token] = addr
	time.AfterFunc(reservationLifetime, func() {
		if addr, ok := r.take(token); ok {
			r.relays.release(addr)
		}
	})
}

func (r *reservations) take(token string) (netip.AddrPort, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	addr, ok := r.byToken[token]
	delete(r.byToken, token)
	return addr, ok
}

func (r *reservations) known(token string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.byToken[token]
	return ok
}
