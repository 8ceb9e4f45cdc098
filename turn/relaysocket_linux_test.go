package turn

import (
	"fmt"
	"net"
	"testing"
)

// A burst from a peer waits while the loop is busy, and what does not fit is counted.
func TestBurstFromPeer(t *testing.T) {
	s := start(t)
	c := dial(t, s, "udp")
	c.conn.(*net.UDPConn).SetReadBuffer(1 << 20)
	relay := c.allocate()
	outside, addr := peer(t)
	c.bind(0x4000, addr)
	stranger := dial(t, s, "udp")
	a := s.relays.lookup(relay)
	burst := func(n int) {
		a.gate.mu.Lock() // the loop waits, with the stranger's packet in its hands
		defer a.gate.mu.Unlock()
		stranger.send(channelData(0x4000, "may I?"))
		for i := range n {
			outside.WriteToUDPAddrPort(fmt.Appendf(nil, "%1200d", i), relay)
		}
	}
	burst(150)
	for i := range 150 {
		c.expectChannel(0x4000, fmt.Sprintf("%1200d", i))
	}
	if n := s.kernelDrops(); n != 0 {
		t.Errorf("%d packets of a small burst are lost", n)
	}
	const flood = 2000
	burst(flood)
	arrived := 0
	for c.receive(c.timeout/10) != nil {
		arrived++
	}
	lost := s.kernelDrops()
	if arrived+int(lost) != flood || lost == 0 {
		t.Errorf("%d of %d arrived, %d are counted as lost", arrived, flood, lost)
	}
	c.mustAsk(methodRefresh, lifetime(0))
	if n := s.kernelDrops(); n != lost {
		t.Errorf("%d are counted as lost after the allocation's end, %d before", n, lost)
	}
}
