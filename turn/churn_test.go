package turn

import (
	"net/netip"
	"runtime"
	"testing"
)

// crowd is a link in memory with as many clients as one likes.
type crowd struct {
	pipeLink
	from netip.AddrPort
}

func (l *crowd) read(b []byte) (int, route, error) {
	n, _, err := l.pipeLink.read(b)
	return n, route{client: l.from}, err // written before the packet is sent
}

func (l *crowd) write(b []byte, _ route) { l.out <- append([]byte{}, b...) }

// newCrowd starts a gate that thousands of clients use; ask makes a request of client number i.
func newCrowd(t testing.TB, s *Server) (f *gate, ask func(i int, method uint16, attrs ...attribute) answer) {
	t.Helper()
	l := &crowd{pipeLink: newPipeLink(1)}
	f, err := newGate(s, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.close(); f.wait() })
	c := &client{t: t, user: "alice", pass: "wonder", realm: "duet"}
	return f, func(i int, method uint16, attrs ...attribute) answer {
		l.from = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(i >> 16), byte(i >> 8)}), uint16(1024+i&0xff))
		c.nonce = ""
		l.in <- c.build(method, classRequest)
		c.nonce = string(attributeOf(<-l.out, attrNonce))
		l.in <- c.build(method, classRequest, attrs...)
		a := answer{raw: <-l.out}
		if v := attributeOf(a.raw, attrErrorCode); v != nil {
			a.code = int(v[2])*100 + int(v[3])
		}
		if a.code != 0 {
			t.Fatalf("method %#x of client %d refused with %d", method, i, a.code)
		}
		return a
	}
}

func memory() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// BenchmarkMemory is what one allocation with a channel holds: heap and stack, after a collection.
func BenchmarkMemory(b *testing.B) {
	s := start(b, func(c *Config, _ *limits) { c.RelayPorts, c.TotalAllocations = "none", 0 })
	_, ask := newCrowd(b, s)
	relay := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 50000)
	before, n := memory(), 0
	for b.Loop() {
		if n == 10_000 {
			continue
		}
		ask(n, methodAllocate, requestedTransport(protocolUDP))
		ask(n, methodChannelBind, channelNumber(0x4000), peerAddress(relay))
		n++
	}
	b.ReportMetric(float64(memory()-before)/float64(n), "B/allocation")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkChurn makes and ends an allocation; memory must not grow, which it says as well.
func BenchmarkChurn(b *testing.B) {
	s := start(b, func(c *Config, _ *limits) { c.RelayPorts = "none" })
	_, ask := newCrowd(b, s)
	one := func(i int) {
		ask(i, methodAllocate, requestedTransport(protocolUDP))
		ask(i, methodCreatePermission, peerAddress(netip.MustParseAddrPort("127.0.0.1:9")))
		ask(i, methodRefresh, lifetime(0))
	}
	for i := range 1000 {
		one(i)
	}
	before, n := memory(), 0
	for b.Loop() {
		one(n)
		n++
	}
	b.ReportMetric(float64(memory()-before)/1024, "KiB-grown")
	if s.relays.count() != 0 {
		b.Fatal("allocations are left")
	}
}
