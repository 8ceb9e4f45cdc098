package relay

// A bad network between the clients and the relay.

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
)

// network is a UDP proxy before a relay: it loses media packets with a probability, or everything.
type network struct {
	front *net.UDPConn
	relay *net.UDPAddr
	wg    sync.WaitGroup

	permille atomic.Int32 // of media packets, in each direction
	large    atomic.Bool  // all media packets that only pictures fill
	dead     atomic.Bool
	lost     atomic.Int64

	mu   sync.Mutex
	back map[netip.AddrPort]*net.UDPConn
}

func newNetwork(t *testing.T, s *Server) *network {
	t.Helper()
	front, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	_ = front.SetReadBuffer(1 << 20)
	n := &network{front: front, relay: s.udp.(*net.UDPAddr), back: map[netip.AddrPort]*net.UDPConn{}}
	n.wg.Go(func() { n.run(t) })
	t.Cleanup(func() {
		_ = front.Close()
		n.mu.Lock()
		for _, c := range n.back {
			_ = c.Close()
		}
		n.mu.Unlock()
		n.wg.Wait()
	})
	return n
}

func (n *network) port() int { return n.front.LocalAddr().(*net.UDPAddr).Port }

func (n *network) loses(b []byte) bool {
	if n.dead.Load() {
		return true
	}
	if len(b) > 0 && b[0]>>6 == 2 && (rand.Int32N(1000) < n.permille.Load() || len(b) > 500 && n.large.Load()) {
		n.lost.Add(1)
		return true
	}
	return false
}

func (n *network) run(t *testing.T) {
	b := make([]byte, 2000)
	for {
		size, from, err := n.front.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		n.mu.Lock()
		up := n.back[from]
		if up == nil {
			if up, err = net.DialUDP("udp", nil, n.relay); err != nil {
				n.mu.Unlock()
				t.Error(err)
				return
			}
			n.back[from] = up
			n.wg.Go(func() {
				b := make([]byte, 2000)
				for {
					size, err := up.Read(b)
					if err != nil {
						return
					}
					if !n.loses(b[:size]) {
						_, _ = n.front.WriteToUDPAddrPort(b[:size], from)
					}
				}
			})
		}
		n.mu.Unlock()
		if !n.loses(b[:size]) {
			_, _ = up.Write(b[:size])
		}
	}
}
