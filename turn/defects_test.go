package turn

// This file has the library's known defects, each with the bytes or the order of events that used to trigger it.

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// An empty XOR-PEER-ADDRESS as the last attribute made the library slice out of bounds: the process was gone.
func TestEmptyPeerAddressDoesNotCrash(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		s := start(t)
		c := dial(t, s, network)
		c.allocate()
		c.send(unhex(t, "0016000c2112a4420102030405060708090a0b0c"+"0013000401020304"+"00120000"))
		for size := range 20 { // other sizes meet other capacities of the library's copy
			c.send(c.build(methodSend, classIndication, attribute{attrData, make([]byte, size)}, attribute{attrXORPeerAddress, nil}))
			c.send(c.build(methodSend, classIndication, attribute{attrData, make([]byte, size)}, attribute{attrXORPeerAddress, make([]byte, size)}))
		}
		c.mustAsk(methodRefresh)
	}
}

// Lengths that overflow 16 bits made the library's stream parser spin for ever on a frame of no size.
func TestOverflowingFrameEndsTheStream(t *testing.T) {
	for _, head := range []string{"0003ffec2112a442000102030405060708090a0b", "4000fffc0000000000", "4000ffff", "8000000000000000", "ffffffff"} {
		s := start(t)
		c := dial(t, s, "tcp")
		c.send(unhex(t, head))
		c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := c.conn.Read(make([]byte, 100)); n != 0 || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
			t.Errorf("%s: read %d, %v; want the connection to end", head, n, err)
		}
		eventually(t, "the stream is forgotten", func() bool { return s.streams.count() == 0 })
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// Frames under nine bytes waited in the library's parser until more came.
func TestShortFrameIsNotHeldBack(t *testing.T) {
	s := start(t)
	c := dial(t, s, "tcp")
	c.allocate()
	outside, addr := peer(t)
	c.bind(0x4000, addr)
	c.send(unhex(t, "4000000401020304"))
	expectAt(t, outside, "\x01\x02\x03\x04")
	c.send(unhex(t, "40000001ff000000"))
	expectAt(t, outside, "\xff")
	c.send(unhex(t, "40000000"))
	expectAt(t, outside, "")
}

// A stream may be cut anywhere.
func TestStreamSplitAtEveryByte(t *testing.T) {
	s := start(t)
	c := dial(t, s, "tcp")
	c.allocate()
	outside, addr := peer(t)
	c.bind(0x4000, addr)
	c.conn.(*net.TCPConn).SetNoDelay(true)
	frames := append(channelData(0x4000, "abcde"), channelData(0x4000, "xyz")...)
	for at := 1; at < len(frames); at++ {
		c.send(frames[:at])
		c.send(frames[at:])
		expectAt(t, outside, "abcde")
		expectAt(t, outside, "xyz")
	}
}

// One failing Accept ended the library's listener and all its allocations.
func TestAcceptErrorsPass(t *testing.T) {
	fails := &failingListener{}
	fails.left.Store(3)
	s := startWith(t, Deps{WrapListener: func(l net.Listener) net.Listener { fails.Listener = l; return fails }})
	c := dial(t, s, "tcp")
	c.allocate()
	if left := fails.left.Load(); left > 0 {
		t.Errorf("%d errors left: the listener did not fail", left)
	}
}

type failingListener struct {
	net.Listener
	left atomic.Int32
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.left.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

// Streams had no deadline: a few thousand silent ones took all descriptors.
func TestSilentStreamsEnd(t *testing.T) {
	const slow = 200
	s := start(t, func(_ *Config, l *limits) {
		l.firstFrame, l.idleStream, l.streamsPerIP = 2*time.Second, 2*time.Second, slow+1
	})
	running := dial(t, s, "tcp")
	running.allocate()
	outside, addr := peer(t)
	running.bind(0x4000, addr)
	for i := range slow {
		c := dial(t, s, "tcp")
		if i%2 == 0 {
			c.send([]byte{0, 1, 0}) // the beginning of a frame
		}
		if i == 0 {
			c.roundTrip(c.build(methodBinding, classRequest)) // seen is not allocated
		}
		running.send(channelData(0x4000, "among them"))
		expectAt(t, outside, "among them")
	}
	eventually(t, "the silent streams end", func() bool { return s.streams.count() == 1 })
	running.send(channelData(0x4000, "still here"))
	expectAt(t, outside, "still here")
}

// Streams are capped for each address.
func TestStreamsAreCapped(t *testing.T) {
	s := start(t, func(_ *Config, l *limits) { l.streamsPerIP = 3 })
	for range 3 {
		c := dial(t, s, "tcp")
		c.allocate()
	}
	c := dial(t, s, "tcp")
	c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the fourth stream: %v, want an end", err)
	}
}

// Closing the server left streams open, and they could still allocate.
func TestEndClosesStreams(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Listen, cfg.PublicIP = "127.0.0.1:0", "127.0.0.1"
	s, err := New(cfg, Deps{Secret: []byte(testSecret)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	c := dial(t, s, "tcp")
	name, pass := s.credentials.issue("somebody", time.Now().Add(time.Hour))
	c.user, c.pass = name, pass
	c.allocate()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if in := c.receive(5 * time.Second); in != nil {
		t.Errorf("got %x after the end", in)
	}
	if n := s.relays.count(); n != 0 {
		t.Errorf("%d allocations after the end", n)
	}
}

// The library searches channels one by one for every packet and takes any number of them.
func TestChannelsAreCapped(t *testing.T) {
	s := start(t, func(_ *Config, l *limits) { l.channels = 3 })
	c := dial(t, s, "udp")
	c.allocate()
	to := func(i int) attribute {
		return peerAddress(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(40000+i)))
	}
	for _, bad := range []uint16{0, 0x1000, 0x3fff, 0x8000, 0xffff} {
		if a := c.ask(methodChannelBind, channelNumber(bad), to(0)); a.code != codeBadRequest {
			t.Errorf("channel %#x: got %d, want 400", bad, a.code)
		}
	}
	for i := range 3 {
		c.mustAsk(methodChannelBind, channelNumber(0x4000+uint16(i)), to(i))
		c.mustAsk(methodChannelBind, channelNumber(0x4000+uint16(i)), to(i)) // again is a refresh
	}
	if a := c.ask(methodChannelBind, channelNumber(0x4003), to(3)); a.code != codeCapacity {
		t.Errorf("one too many: got %d, want 508", a.code)
	}
	if a := c.ask(methodChannelBind, channelNumber(0x4000), to(1)); a.code != codeBadRequest {
		t.Errorf("bound number, other peer: got %d, want 400", a.code)
	}
	if a := c.ask(methodChannelBind, channelNumber(0x4001), to(0)); a.code != codeBadRequest {
		t.Errorf("bound peer, other number: got %d, want 400", a.code)
	}
}

// Permissions, too, had no limit, and each has a timer.
func TestPermissionsAreCapped(t *testing.T) {
	s := start(t, func(_ *Config, l *limits) { l.permissions = 5 })
	c := dial(t, s, "udp")
	c.allocate()
	to := func(i int) attribute {
		return peerAddress(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(i)}), 9))
	}
	for i := range 5 {
		c.mustAsk(methodCreatePermission, to(i))
	}
	if a := c.ask(methodCreatePermission, to(5)); a.code != codeCapacity {
		t.Errorf("one too many: got %d, want 508", a.code)
	}
	c.mustAsk(methodCreatePermission, to(0), to(4)) // what is there can be refreshed
	if a := c.ask(methodCreatePermission, to(0), to(6)); a.code != codeCapacity {
		t.Errorf("one too many among others: got %d, want 508", a.code)
	}
	if a := c.ask(methodChannelBind, channelNumber(0x4000), to(7)); a.code != codeCapacity {
		t.Errorf("by a channel: got %d, want 508", a.code)
	}
}

// The library lets any valid user act on the allocation of a client address.
func TestAllocationBelongsToItsUser(t *testing.T) {
	s := start(t)
	c := dial(t, s, "udp")
	c.allocate()
	c.user, c.pass = "bob", "builder"
	peer := peerAddress(netip.MustParseAddrPort("127.0.0.1:9999"))
	for what, a := range map[string]answer{
		"Allocate":         c.ask(methodAllocate, requestedTransport(protocolUDP)),
		"Refresh":          c.ask(methodRefresh, lifetime(0)),
		"CreatePermission": c.ask(methodCreatePermission, peer),
		"ChannelBind":      c.ask(methodChannelBind, channelNumber(0x4000), peer),
	} {
		if a.code != codeWrongCredentials {
			t.Errorf("%s: got %d, want 441", what, a.code)
		}
	}
	c.user, c.pass = "alice", "wonder"
	c.mustAsk(methodRefresh)
}

// A nonce was good for everybody for an hour, so a captured request could be replayed from elsewhere.
func TestNonceBelongsToItsAddress(t *testing.T) {
	s := start(t)
	a, b := dial(t, s, "udp"), dial(t, s, "udp")
	a.allocate()
	b.nonce, b.realm = a.nonce, a.realm
	if got := b.roundTrip(b.build(methodAllocate, classRequest, requestedTransport(protocolUDP))); got.code != codeStaleNonce {
		t.Errorf("another's nonce: got %d, want 438", got.code)
	}
	upper := []byte(a.nonce)
	lower(upper)
	for _, made := range []string{"0", a.nonce[:79], string(upper), hex.EncodeToString(make([]byte, 40))} {
		a := a
		a.nonce = made
		if got := a.roundTrip(a.build(methodRefresh, classRequest)); got.code != codeStaleNonce {
			t.Errorf("nonce %q: got %d, want 438", made, got.code)
		}
	}
	b.nonce = "x"
	b.allocate() // 438 carries a good one
}

// What follows MESSAGE-INTEGRITY is anybody's addition; the library obeyed it.
func TestAttributesAfterIntegrityAreIgnored(t *testing.T) {
	s := start(t)
	c := dial(t, s, "udp")
	c.allocate()
	outside, addr := peer(t)
	b := c.build(methodCreatePermission, classRequest)
	b = appendAttribute(b, attrXORPeerAddress, obfuscate(peerAddress(addr).value, b[8:headerSize]))
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize))
	if a := c.roundTrip(b); a.code != codeBadRequest {
		t.Errorf("got %d, want 400: no peer is left", a.code)
	}
	c.send(c.build(methodSend, classIndication, peerAddress(addr), attribute{attrData, []byte("smuggled")}))
	c.mustAsk(methodCreatePermission, peerAddress(addr))
	c.send(c.build(methodSend, classIndication, peerAddress(addr), attribute{attrData, []byte("permitted")}))
	expectAt(t, outside, "permitted")
}

// After Refresh with lifetime 0 the library's old packet handler deleted whatever the client had allocated since.
func TestOldAllocationDoesNotTakeTheNewOneAlong(t *testing.T) {
	s := start(t)
	c := dial(t, s, "udp")
	for range 20 {
		old := s.relays.lookup(c.allocate())
		c.mustAsk(methodRefresh, lifetime(0))
		c.allocate()
		// However late the old handler wakes up, it must end here, not return and delete by address.
		over, returned := make(chan struct{}), false
		go func() {
			defer close(over)
			newRelayConn(old).ReadFrom(make([]byte, 1600))
			returned = true
		}()
		<-over
		if returned {
			t.Fatal("ReadFrom of a closed allocation returned")
		}
		c.mustAsk(methodRefresh, lifetime(0)) // is still there
	}
}

// The library's timers and its close race with requests: run with -race, and a nil timer would crash the process.
func TestEndingRacesWithRequests(t *testing.T) {
	s := start(t, func(_ *Config, l *limits) { l.permissions = 1 << 20 })
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			c := dial(t, s, "udp")
			for round := range 5 {
				a := s.relays.lookup(c.allocate())
				for j := range 200 {
					ip := netip.AddrFrom4([4]byte{127, byte(i + 1), byte(round*8 + j>>8), byte(j)})
					c.send(c.build(methodCreatePermission, classRequest, peerAddress(netip.AddrPortFrom(ip, 9))))
					if j == 100 {
						a.expire()
					}
				}
				a.awaitEnd(t)
			}
		})
	}
	all.Wait()
}

// An allocation that is ended from outside is the library's until it has been told, which hits this one only.
func TestEndingSparesTheNext(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		s := start(t)
		c := dial(t, s, network)
		for range 20 {
			old := s.relays.lookup(c.allocate())
			old.gate.authority.expire(old) // waits its turn, perhaps behind the client's own wish
			c.ask(methodRefresh, lifetime(0))
			old.awaitEnd(t)
			fresh := s.relays.lookup(c.allocate())
			fresh.gate.authority.expire(old)
			c.mustAsk(methodRefresh)
			if fresh.isOver() {
				t.Fatal("the next allocation has ended too")
			}
			fresh.expire()
			if code := c.ask(methodRefresh).code; code != codeMismatch {
				t.Fatalf("Refresh of what is over: got %d, want 437", code)
			}
			fresh.awaitEnd(t)
		}
	}
}

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

// Answers to strangers are larger than their requests, so they are few.
func TestStrangersAreAnsweredSeldom(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.UnauthenticatedPerIP = 10 })
	known := dial(t, s, "udp")
	known.allocate()
	eventually(t, "a new second", func() bool { return s.budget.spend(netip.MustParseAddr("127.0.0.1"), time.Now().Add(time.Second)) })
	c, begin := dial(t, s, "udp"), time.Now()
	for i := range 1000 {
		method := []uint16{methodAllocate, methodBinding, methodRefresh, methodCreatePermission, methodChannelBind}[i%5]
		c.send(c.build(method, classRequest))
	}
	answers := 0
	for c.receive(300*time.Millisecond) != nil {
		answers++
	}
	if most := 10 * (2 + int(time.Since(begin)/time.Second)); answers == 0 || answers > most {
		t.Errorf("%d answers to 1000 strangers, want a few", answers)
	}
	known.mustAsk(methodRefresh)
	if !s.budget.spend(netip.MustParseAddr("192.0.2.1"), time.Now()) {
		t.Error("another address is not answered")
	}
}

func TestMalformedDatagrams(t *testing.T) {
	s := start(t)
	c := dial(t, s, "udp")
	c.allocate()
	good := c.build(methodRefresh, classRequest)
	for n := range len(good) {
		c.send(good[:n])
	}
	for at := range 40 {
		for _, v := range []byte{0, 1, 0x7f, 0x80, 0xff} {
			bad := append([]byte{}, good...)
			bad[at] = v
			c.send(bad)
		}
	}
	dup := c.build(methodSend, classIndication, attribute{attrData, []byte("1")}, attribute{attrData, []byte("2")})
	c.send(dup)
	many := make([]attribute, maxAttributes+1)
	for i := range many {
		many[i] = attribute{0x8000 + uint16(i), nil}
	}
	c.send(c.build(methodBinding, classRequest, many...))
	eventually(t, "the server answers", func() bool { return c.ask(methodRefresh).code == 0 })
}
