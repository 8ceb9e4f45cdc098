package turn

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// Payloads over the library's buffer were cut and forwarded.
func TestOversizeIsDropped(t *testing.T) {
	s := start(t)
	c := dial(t, s, "udp")
	relay := c.allocate()
	outside, addr := peer(t)
	c.bind(0x4000, addr)
	outside.WriteToUDPAddrPort(make([]byte, 3000), relay)
	outside.WriteToUDPAddrPort(make([]byte, maxPacket+1), relay)
	outside.WriteToUDPAddrPort(make([]byte, maxPacket), relay)
	c.expectChannel(0x4000, string(make([]byte, maxPacket)))
	c.send(channelData(0x4000, string(make([]byte, 3000))))
	c.send(channelData(0x4000, string(make([]byte, maxPacket+1))))
	c.send(channelData(0x4000, string(make([]byte, maxPacket))))
	expectAt(t, outside, string(make([]byte, maxPacket)))
}

// pair is two clients with a channel each, towards the other's relay.
func pair(t testing.TB, s *Server, netA, netB string) (a, b *client, atA, atB netip.AddrPort) {
	t.Helper()
	a, b = dial(t, s, netA), dial(t, s, netB)
	b.user, b.pass = "bob", "builder"
	atA, atB = a.allocate(), b.allocate()
	a.bind(0x4000, atB)
	b.bind(0x4001, atA)
	return a, b, atA, atB
}

func (c *client) expectSilence(after string) {
	c.t.Helper()
	if in := c.receive(100 * time.Millisecond); in != nil {
		c.t.Errorf("%s: %x arrived", after, in)
	}
}

// TestFastPathIsTaken: what goes between two bound channels goes around the library, over every pair of transports.
func TestFastPathIsTaken(t *testing.T) {
	for _, nets := range [][2]string{{"udp", "udp"}, {"udp", "tcp"}, {"tcp", "udp"}, {"tcp", "tcp"}} {
		s := start(t)
		a, b, _, _ := pair(t, s, nets[0], nets[1])
		for i := range 50 {
			text := fmt.Sprint("a packet with number ", i)[:5+i%8]
			a.send(channelData(0x4000, text))
			b.expectChannel(0x4001, text)
		}
		if got := s.traffic().up[pathFast].packets.Load(); got != 50 {
			t.Errorf("%v: %d packets took the fast path, want 50", nets, got)
		}
		if got := s.traffic().down[pathFast].bytes.Load(); got != s.traffic().up[pathFast].bytes.Load() || got == 0 {
			t.Errorf("%v: %d bytes down, %d up", nets, got, s.traffic().up[pathFast].bytes.Load())
		}
	}
}

// TestWithoutChannelBack: a client that has only a permission gets a Data indication; without one it gets nothing.
func TestWithoutChannelBack(t *testing.T) {
	s := start(t)
	a, b := dial(t, s, "udp"), dial(t, s, "udp")
	atA, atB := a.allocate(), b.allocate()
	a.bind(0x4000, atB)
	a.send(channelData(0x4000, "unasked"))
	a.mustAsk(methodRefresh)
	b.expectSilence("without permission")
	b.mustAsk(methodCreatePermission, peerAddress(atA))
	a.send(channelData(0x4000, "asked"))
	if got := attributeOf(b.receive(5*time.Second), attrData); string(got) != "asked" {
		t.Errorf("got %q, want a Data indication", got)
	}
	b.bind(0x4001, atA)
	a.send(channelData(0x4000, "bound"))
	b.expectChannel(0x4001, "bound")
}

// TestFastPathEnds has everything that must end it at once.
func TestFastPathEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(s *Server, a, b *client, atA, atB netip.AddrPort)
	}{
		{"the sender deletes its allocation", func(_ *Server, a, _ *client, _, _ netip.AddrPort) { a.mustAsk(methodRefresh, lifetime(0)) }},
		{"the receiver deletes its allocation", func(_ *Server, _, b *client, _, _ netip.AddrPort) { b.mustAsk(methodRefresh, lifetime(0)) }},
		{"the receiver has another one since", func(_ *Server, _, b *client, _, _ netip.AddrPort) {
			b.mustAsk(methodRefresh, lifetime(0))
			b.allocate()
		}},
		{"the sender's allocation expires", func(s *Server, a, _ *client, atA, _ netip.AddrPort) {
			x := s.relays.lookup(atA)
			a.mustAsk(methodRefresh, lifetime(1))
			x.awaitEnd(t)
		}},
		{"the receiver's allocation expires", func(s *Server, _, b *client, _, atB netip.AddrPort) {
			x := s.relays.lookup(atB)
			b.mustAsk(methodRefresh, lifetime(1))
			x.awaitEnd(t)
		}},
		{"the server ends it", func(s *Server, _, _ *client, _, atB netip.AddrPort) {
			x := s.relays.lookup(atB)
			x.expire()
			x.awaitEnd(t)
		}},
	} {
		for _, network := range []string{"udp", "tcp"} {
			for _, way := range ways {
				s := start(t, func(_ *Config, l *limits) { l.minLifetime, l.expiryLead = 1, 800*time.Millisecond })
				a, b := dial(t, s, "udp"), dial(t, s, network)
				atA, atB := a.allocate(), b.allocate()
				a.open(way, 0x4000, atB)
				b.open(way, 0x4001, atA)
				a.say(way, 0x4000, atB, "before")
				b.hear(way, 0x4001, atA, "before")
				c.end(s, a, b, atA, atB)
				a.say(way, 0x4000, atB, "after")
				a.roundTrip(a.build(methodBinding, classRequest))
				b.expectSilence(c.name + " (" + network + ", " + way + ")")
			}
		}
	}
}

// TestManyListeners: clients whose packets come to different sockets of the port reach each other.
func TestManyListeners(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.Listeners = 4 })
	for i := range 16 {
		a, b, _, _ := pair(t, s, "udp", "udp")
		a.send(channelData(0x4000, fmt.Sprint("there ", i)))
		b.expectChannel(0x4001, fmt.Sprint("there ", i))
		b.send(channelData(0x4001, fmt.Sprint("back ", i)))
		a.expectChannel(0x4000, fmt.Sprint("back ", i))
	}
	used := 0
	for _, l := range s.udp {
		if l.(emitter).counts().up[pathFast].packets.Load() > 0 {
			used++
		}
	}
	if used < 2 {
		t.Errorf("%d of 4 sockets were used", used)
	}
}

// What the system does not take for a peer, and what has nowhere to go, is counted as lost and not as sent.
func TestLossesAreCounted(t *testing.T) {
	s := start(t)
	c := dial(t, s, "udp")
	a := s.relays.lookup(c.allocate())
	outside, addr := peer(t)
	c.bind(0x4000, addr)
	socket := a.socket.Load()
	for _, step := range []struct {
		socket relaySocket
		reason drop
	}{{refusing{syscall.ENOBUFS}, dropQueueFull}, {refusing{syscall.ENETUNREACH}, dropUnreachable}, {nil, dropUnreachable}} {
		if a.socket.Store(&step.socket); step.socket == nil {
			a.socket.Store(nil)
		}
		before := s.stats.dropped[step.reason].Load()
		c.send(channelData(0x4000, "lost"))
		c.send(c.build(methodSend, classIndication, peerAddress(addr), attribute{attrData, []byte("lost")}))
		eventually(t, "both losses are counted", func() bool { return s.stats.dropped[step.reason].Load() == before+2 })
	}
	a.socket.Store(socket)
	c.send(channelData(0x4000, "sent"))
	expectAt(t, outside, "sent")
	c.mustAsk(methodRefresh) // behind it, so that it is counted
	if n := s.traffic().up[pathSocket].packets.Load(); n != 1 {
		t.Errorf("%d packets counted as sent, want 1", n)
	}
}

// refusing is a socket that takes nothing.
type refusing struct{ err error }

func (r refusing) send([]byte, netip.AddrPort) error { return r.err }

func (refusing) close() {}

// sink is an emitter that only counts.
type sink struct{ traffic traffic }

func (s *sink) emit(*allocation, []byte) {}

func (s *sink) counts() *traffic { return &s.traffic }

// ways are how a client may send: on a channel, or in Send indications, which it may also get.
var ways = []string{"channel", "indication"}

// open lets a client and a peer exchange payloads in one of the ways.
func (c *client) open(way string, number uint16, peer netip.AddrPort) {
	c.t.Helper()
	if way == "channel" {
		c.bind(number, peer)
		return
	}
	c.mustAsk(methodCreatePermission, peerAddress(peer))
}

// payload is what say sends.
func (c *client) payload(way string, number uint16, peer netip.AddrPort, text string) []byte {
	if way == "channel" {
		return channelData(number, text)
	}
	return c.build(methodSend, classIndication, peerAddress(peer), attribute{attrData, []byte(text)})
}

func (c *client) say(way string, number uint16, peer netip.AddrPort, text string) {
	c.t.Helper()
	c.send(c.payload(way, number, peer, text))
}

// hear reads one message and compares it: in an indication it comes from peer.
func (c *client) hear(way string, number uint16, peer netip.AddrPort, want string) {
	c.t.Helper()
	if way == "channel" {
		c.expectChannel(number, want)
		return
	}
	b := c.receive(5 * time.Second)
	if len(b) < headerSize || binary.BigEndian.Uint16(b) != messageType(methodData, classIndication) || len(b)%4 != 0 {
		c.t.Fatalf("got %x, want a Data indication with %q", b, want)
	}
	from, _ := xorAddress(attributeOf(b, attrXORPeerAddress), b[8:headerSize])
	if got := string(attributeOf(b, attrData)); got != want || from != peer {
		c.t.Fatalf("got %q from %s, want %q from %s", got, from, want, peer)
	}
}

// couple is two clients that may reach each other, each in a way of its own.
func couple(t testing.TB, s *Server, wayA, wayB string) (a, b *client, atA, atB netip.AddrPort) {
	a, b = dial(t, s, "udp").own(s, ownUser), dial(t, s, "udp").own(s, "u_0123456789abcdefabcdef")
	s.CallStarted("c", ownUser, "u_0123456789abcdefabcdef")
	atA, atB = a.allocate(), b.allocate()
	a.open(wayA, 0x4000, atB)
	b.open(wayB, 0x4001, atA)
	return a, b, atA, atB
}

// forwardOne gives a function that forwards one payload of 1,200 bytes of the client at a relayed address.
func forwardOne(s *Server, c *client, way string, at, to netip.AddrPort) (func(), *sink) {
	x, out := s.relays.lookup(at), new(sink)
	message := c.payload(way, 0x4000, to, string(make([]byte, 1200)))
	buf := make([]byte, headroom+len(message), headroom+len(message)+tailroom)
	return func() {
		copy(buf[headroom:], message)
		s.fromClient(x, buf, s.clock(), out)
	}, out
}

func TestForwardDoesNotAllocate(t *testing.T) {
	for _, wayA := range ways {
		for _, wayB := range ways {
			s := start(t, func(c *Config, _ *limits) { c.Permissions = "call" })
			a, _, atA, atB := couple(t, s, wayA, wayB)
			one, out := forwardOne(s, a, wayA, atA, atB)
			if n := testing.AllocsPerRun(1000, one); n != 0 {
				t.Errorf("%s to %s: %v allocations for each packet", wayA, wayB, n)
			}
			if out.traffic.down[pathFast].packets.Load() < 1000 {
				t.Errorf("%s to %s: %d packets passed", wayA, wayB, out.traffic.down[pathFast].packets.Load())
			}
			x, from := s.relays.lookup(atA), netip.MustParseAddrPort("127.0.0.1:9")
			buf := make([]byte, headroom+1200, headroom+1200+tailroom)
			if n := testing.AllocsPerRun(1000, func() { s.fromPeer(x, buf, from, s.clock(), out) }); n != 0 {
				t.Errorf("from a peer: %v allocations for each packet", n)
			}
		}
	}
}

// BenchmarkForward is what one packet costs between its arrival and its place in the outbox, by how it comes and leaves.
func BenchmarkForward(b *testing.B) {
	for _, wayA := range ways {
		for _, wayB := range ways {
			b.Run(wayA+"-to-"+wayB, func(b *testing.B) {
				s := start(b, func(c *Config, _ *limits) { c.UserBytesPerSecond, c.UserPPS = 0, 0 })
				a, _, atA, atB := couple(b, s, wayA, wayB)
				one, out := forwardOne(s, a, wayA, atA, atB)
				b.ReportAllocs()
				for b.Loop() {
					one()
				}
				if out.traffic.down[pathFast].packets.Load() < uint64(b.N) {
					b.Fatal("not all packets passed")
				}
			})
		}
	}
}
