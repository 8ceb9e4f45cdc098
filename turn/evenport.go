package turn

// This file keeps the second port of a pair (EVEN-PORT, RFC 8656 section 18.5) until its client asks for it.

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// reservationLifetime is how long a port is kept, as long as the library keeps its token.
const reservationLifetime = 30 * time.Second

// reservations are ports that wait for their token. The fabric holds them as taken.
type reservations struct {
	fabric *fabric

	mu      sync.Mutex // a leaf; guards byToken
	byToken map[string]netip.AddrPort
}

func newReservations(f *fabric) *reservations {
	return &reservations{fabric: f, byToken: map[string]netip.AddrPort{}}
}

func (r *reservations) put(token string, addr netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byToken[token] = addr
	time.AfterFunc(reservationLifetime, func() {
		if addr, ok := r.take(token); ok {
			r.fabric.release(addr)
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

// probe is what the library gets when it looks for an even port: it opens sockets and closes them again until it likes
// one, and then asks for its number. The first one is always right, and kept.
type probe struct{ *allocation }

// Close keeps the allocation.
func (probe) Close() error { return nil }

var _ net.PacketConn = probe{}
