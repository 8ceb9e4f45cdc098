package main

// How many streams one address may have.

import (
	"net"
	"net/netip"
	"sync"

	"duet/internal/lock"
)

// maxPerAddress bounds the streams of one address (IPv6: of one /64) that are neither WebSockets nor TURN, which
// count theirs themselves. A page needs six. Proxies sit on loopback, which is not bounded.
const maxPerAddress = 1000

// connLimiter counts streams by address.
type connLimiter struct {
	most, local int // 0: no bound

	mu     *lock.Mutex[lock.Leaf]
	counts map[netip.Addr]int
}

func newConnLimiter() connLimiter {
	return connLimiter{most: maxPerAddress, mu: new(lock.Mutex[lock.Leaf]), counts: map[netip.Addr]int{}}
}

// enter counts a stream until leave is called, once or more often.
func (s *connLimiter) enter(from net.Addr) (leave func(), ok bool) {
	ap, err := netip.ParseAddrPort(from.String())
	if err != nil {
		return func() {}, true
	}
	ip, most := ap.Addr().Unmap().WithZone(""), s.most
	if ip.IsLoopback() {
		most = s.local
	}
	if ip.Is6() {
		ip = netip.PrefixFrom(ip, 64).Masked().Addr()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if most > 0 && s.counts[ip] >= most {
		return nil, false
	}
	s.counts[ip]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.counts[ip]--; s.counts[ip] == 0 {
			delete(s.counts, ip)
		}
	}), true
}
