package turn

import (
	"net/netip"
	"testing"
)

// A flood of one client's payloads, or of everybody's, leaves room for the requests of others.
func TestFloodsLeaveRoom(t *testing.T) {
	q := newGateQueue()
	client := func(i int) route {
		return route{client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 9)}
	}
	put := func(from route, payload bool, n int) (taken int) {
		for range n {
			if q.put(make([]byte, 40), from, payload) == passed {
				taken++
			}
		}
		return taken
	}
	if n := put(client(0), true, queueSize); n != maxPayloads {
		t.Errorf("%d payloads of one client wait, want %d", n, maxPayloads)
	}
	if n := put(client(0), false, queueSize); n != maxRequests {
		t.Errorf("%d requests of one client wait, want %d", n, maxRequests)
	}
	for i := range 64 {
		put(client(i), true, maxPayloads)
	}
	if n := q.payloads.Load(); n != queueSize/2 {
		t.Errorf("%d payloads wait, want %d", n, queueSize/2)
	}
	if n := put(client(1000), false, 1); n != 1 {
		t.Error("another client's request is lost")
	}
	for b := make([]byte, maxFrame); len(q.packets) > 0; {
		q.take(b)
	}
	q.wake()
	q.take(nil) // the last one has been handled
	if n := q.payloads.Load(); n != 0 || q.mustWait(client(0).client) || q.mayHelp(client(0).client) {
		t.Errorf("%d payloads are counted, and nothing waits", n)
	}
}

// One holder's flood of indications that take the library's way does not drop another's requests.
func TestFloodOfIndications(t *testing.T) {
	s := start(t)
	flood, other := dial(t, s, "udp"), dial(t, s, "udp")
	g := s.relays.lookup(flood.allocate()).gate
	other.allocate()
	outside, addr := peer(t)
	for _, c := range []*client{flood, other} { // the loop knows both
		c.mustAsk(methodCreatePermission, peerAddress(addr))
		c.say("indication", 0, addr, "known")
		expectAt(t, outside, "known")
	}
	message := flood.build(methodSend, classIndication, attribute{attrDontFragment, nil}, peerAddress(addr), attribute{attrData, make([]byte, 1000)})
	queue := g.transport.(*loop).queue
	func() {
		g.mu.Lock() // the gate is busy, and so its queue fills
		defer g.mu.Unlock()
		for range 2 * queueSize {
			flood.send(message)
		}
		eventually(t, "the queue has what it takes", func() bool { return queue.slot(addrOf(flood)).payloads.Load() == maxPayloads })
		other.send(other.build(methodRefresh, classRequest))
		eventually(t, "the request waits, too", func() bool { return queue.mayHelp(addrOf(other)) })
	}()
	for {
		in := other.receive(other.timeout)
		if in == nil {
			t.Fatal("the other's Refresh is lost")
		}
		if method, class := splitType(uint16(in[0])<<8 | uint16(in[1])); method == methodRefresh && class == classSuccess {
			return
		}
	}
}

func addrOf(c *client) netip.AddrPort {
	at := c.conn.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort()
	return netip.AddrPortFrom(canonical(at.Addr()), at.Port())
}
