package turn

import (
	"encoding/binary"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestIPv6Relay(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.PublicIP, c.AllowPeers = "127.0.0.1,::1", []string{"::1", "127.0.0.0/8"} })
	v6 := attribute{attrRequestedFamily, []byte{2, 0, 0, 0}}
	a, b, v4 := dial(t, s, "udp"), dial(t, s, "tcp"), dial(t, s, "udp")
	atA, atB, at4 := a.allocate(v6), b.allocate(v6), v4.allocate()
	if !atA.Addr().Is6() || !atB.Addr().Is6() || !at4.Addr().Is4() {
		t.Fatalf("relays %s, %s, %s", atA, atB, at4)
	}
	a.bind(0x4000, atB)
	b.bind(0x4000, atA)
	a.send(channelData(0x4000, "memory"))
	b.expectChannel(0x4000, "memory")
	outside, addr := peerOn(t, "::1")
	a.bind(0x4001, addr)
	a.send(channelData(0x4001, "socket"))
	if from := expectAt(t, outside, "socket"); from != atA {
		t.Errorf("from %s, want %s", from, atA)
	}
	outside.WriteToUDPAddrPort([]byte("back"), atA)
	a.expectChannel(0x4001, "back")
	if got := a.ask(methodCreatePermission, peerAddress(netip.MustParseAddrPort("127.0.0.1:9"))).code; got != codePeerFamily {
		t.Errorf("an IPv4 peer: got %d, want 443", got)
	}
	if got := v4.ask(methodCreatePermission, peerAddress(addr)).code; got != codePeerFamily {
		t.Errorf("an IPv6 peer: got %d, want 443", got)
	}
}

func TestIdleAllocationsEnd(t *testing.T) {
	s := start(t, func(_ *Config, l *limits) { l.housekeeping, l.idle = 20*time.Millisecond, 2*time.Second })
	idle, busy := dial(t, s, "udp"), dial(t, s, "udp")
	a, b := s.relays.lookup(idle.allocate()), s.relays.lookup(busy.allocate())
	_, addr := peer(t)
	busy.bind(0x4000, addr)
	for !a.isClosed() {
		busy.send(channelData(0x4000, "x"))
		<-time.After(10 * time.Millisecond)
	}
	if b.isOver() {
		t.Error("the busy one has ended too")
	}
}

// lines is a log that a test reads line by line.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// TestLogOfAnAllocation: one line when it ends, which says whose it was and what went through it, and no secret.
func TestLogOfAnAllocation(t *testing.T) {
	log := make(lines, 100)
	s := startWith(t, Deps{Log: slog.New(slog.NewTextHandler(log, nil))})
	c := dial(t, s, "udp")
	relay := c.allocate()
	outside, addr := peer(t)
	c.bind(0x4000, addr)
	c.send(channelData(0x4000, "12345"))
	expectAt(t, outside, "12345")
	c.mustAsk(methodRefresh, lifetime(0))
	line := <-log
	for _, want := range []string{"user=static:alice", "client=" + c.conn.LocalAddr().String(), "relay=" + relay.String(), "packets_up=1", "bytes_up=5", "packets_down=0"} {
		if !strings.Contains(line, want) {
			t.Errorf("got no %q in %s", want, line)
		}
	}
	for _, secret := range []string{c.pass, c.nonce, testSecret} {
		if strings.Contains(line, secret) {
			t.Errorf("%q is in %s", secret, line)
		}
	}
	if len(log) > 0 {
		t.Errorf("there is more: %s", <-log)
	}
}

// TestLifetimes: the library gives whatever is asked for below an hour and ten minutes for more.
func TestLifetimes(t *testing.T) {
	s := start(t)
	for _, c := range []struct{ ask, want uint32 }{{1, 600}, {599, 600}, {601, 600}, {3600, 600}, {1 << 31, 600}} {
		cl := dial(t, s, "udp")
		a := cl.mustAsk(methodAllocate, requestedTransport(protocolUDP), lifetime(c.ask))
		if got := binary.BigEndian.Uint32(attributeOf(a.raw, attrLifetime)); got != c.want {
			t.Errorf("Allocate for %d s: got %d, want %d", c.ask, got, c.want)
		}
		a = cl.mustAsk(methodRefresh, lifetime(c.ask))
		if got := binary.BigEndian.Uint32(attributeOf(a.raw, attrLifetime)); got != c.want {
			t.Errorf("Refresh for %d s: got %d, want %d", c.ask, got, c.want)
		}
	}
}

// TestAllocationsExpire: they end a little before the library's timer would end them, and the client can start anew.
func TestAllocationsExpire(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(_ *Config, l *limits) { l.minLifetime, l.expiryLead = 1, 500*time.Millisecond })
			c := dial(t, s, network)
			a := s.relays.lookup(c.allocate(lifetime(3)))
			a.awaitEnd(t)
			if got := c.ask(methodRefresh); got.code != codeMismatch {
				t.Errorf("Refresh after expiry: got %d, want 437", got.code)
			}
			b := s.relays.lookup(c.allocate(lifetime(600)))
			c.mustAsk(methodRefresh, lifetime(1))
			b.awaitEnd(t)
			eventually(t, "all are forgotten", func() bool { return s.relays.count() == 0 })
		})
	}
}

// TestRepeatedAllocate: a lost answer is asked for again with the same transaction, and is the same.
func TestRepeatedAllocate(t *testing.T) {
	s := start(t)
	c := dial(t, s, "udp")
	c.learn(c.roundTrip(c.build(methodAllocate, classRequest)))
	b := c.build(methodAllocate, classRequest, requestedTransport(protocolUDP))
	first, second := c.roundTrip(b), c.roundTrip(b)
	if first.code != 0 || !slices.Equal(first.raw, second.raw) {
		t.Errorf("got %x, then %x", first.raw, second.raw)
	}
	if s.relays.count() != 1 {
		t.Errorf("%d allocations, want 1", s.relays.count())
	}
}

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
	var relay netip.AddrPort // of the first, which all talk to
	before, n := memory(), 0
	for b.Loop() {
		if n == 10_000 {
			continue
		}
		a := ask(n, methodAllocate, requestedTransport(protocolUDP))
		if n == 0 {
			relay, _ = xorAddress(attributeOf(a.raw, attrXORRelayedAddress), a.raw[8:headerSize])
		}
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
