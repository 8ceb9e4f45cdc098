package plane

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/protocol"
	"github.com/pion/rtcp"
	"github.com/pion/srtp/v3"
	"go.uber.org/goleak"

	"duet/internal/spin"
	"duet/internal/udp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// greeting is what the hooks would have said of a client with this number.
func greeting(n byte) *Keys {
	return &Keys{
		clientRandom: bytes.Repeat([]byte{n}, 32), master: bytes.Repeat([]byte{n + 1}, 48), serverRandom: bytes.Repeat([]byte{n + 2}, 32),
		suite: dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, profile: dtls.SRTP_AEAD_AES_128_GCM, version: protocol.Version1_2,
	}
}

// peer is one client of a plane: its socket and its own side of the keys.
type peer struct {
	t          testing.TB
	plane      *Plane
	port       *Port
	conn       *net.UDPConn
	open, seal *srtp.Context
}

func (p *peer) addr() netip.AddrPort { return p.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func socket(t testing.TB) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// world is a running plane with one call: alice's leg and bob's, both connected.
func world(t testing.TB) (p *Plane, a, b *peer) {
	t.Helper()
	conn := socket(t)
	began := time.Now().Add(-time.Second)
	p = New(conn, conn.LocalAddr(), func() time.Duration { return time.Since(began) })
	done := make(chan error)
	go func() { done <- p.Run() }()
	t.Cleanup(func() {
		_ = p.Close()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	c := p.NewCall()
	a, b = connect(t, p, c, 0, 10), connect(t, p, c, 1, 20)
	c.SetLeg(0, alice(1))
	c.SetLeg(1, bob(2))
	return p, a, b
}

// connect makes a peer whose leg is on the plane.
func connect(t testing.TB, p *Plane, c *Call, side Side, n byte) *peer {
	t.Helper()
	e := &peer{t: t, plane: p, conn: socket(t)}
	e.port = p.NewPort(c, side, func() {})
	t.Cleanup(e.port.Close)
	e.port.Expect(fmt.Sprintf("ufrag%d", n))
	e.confirm(e.conn, fmt.Sprintf("ufrag%d", n))
	if err := e.port.Activate(greeting(n), e.addr()); err != nil {
		t.Fatal(err)
	}
	// The client's keys are the server's, the other way round: what it seals, the server opens.
	open, seal, err := greeting(n).contexts()
	if err != nil {
		t.Fatal(err)
	}
	e.open, e.seal = seal, open
	return e
}

// binding is a Binding request for a ufrag.
func binding(ufrag string, id byte) []byte {
	user := ufrag + ":theirs"
	b := binary.BigEndian.AppendUint16(nil, stunRequest)
	b = binary.BigEndian.AppendUint16(b, uint16(4+(len(user)+3)&^3))
	b = binary.BigEndian.AppendUint32(b, 0x2112a442)
	b = append(b, bytes.Repeat([]byte{id}, 12)...)
	b = binary.BigEndian.AppendUint16(b, 6)
	b = binary.BigEndian.AppendUint16(b, uint16(len(user)))
	b = append(b, user...)
	return append(b, make([]byte, (4-len(user)%4)%4)...)
}

// confirm plays ICE: the client asks from a socket, and pion answers.
func (p *peer) confirm(from *net.UDPConn, ufrag string) {
	p.t.Helper()
	request := binding(ufrag, 7)
	if _, err := from.WriteToUDP(request, p.plane.sock.LocalAddr()); err != nil {
		p.t.Fatal(err)
	}
	b := make([]byte, 1500)
	n, addr, err := p.plane.ReadFromAddrPort(b)
	if err != nil || !bytes.Equal(b[:n], request) {
		p.t.Fatalf("pion got %x, %v", b[:n], err)
	}
	success := bytes.Clone(request[:20])
	binary.BigEndian.PutUint16(success, stunSuccess)
	binary.BigEndian.PutUint16(success[2:], 0)
	if _, err := p.plane.WriteToAddrPort(success, addr); err != nil {
		p.t.Fatal(err)
	}
	if n := len(receive(p.t, from)); n != 20 {
		p.t.Fatalf("the client got %d bytes", n)
	}
}

func receive(t testing.TB, c *net.UDPConn) []byte {
	t.Helper()
	b := make([]byte, 2000)
	_ = c.SetReadDeadline(time.Now().Add(patience))
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// sealed is a video packet as the client would send it.
func (p *peer) sealed(ssrc uint32, pt uint8, seq uint16, payload []byte) []byte {
	p.t.Helper()
	b, err := p.seal.EncryptRTP(nil, make1(p.t, pt, ssrc, seq, uint32(seq), payload), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

func (p *peer) send(b []byte) { p.sendFrom(p.conn, b) }

func (p *peer) sendFrom(c *net.UDPConn, b []byte) {
	p.t.Helper()
	if _, err := c.WriteToUDP(b, p.plane.sock.LocalAddr()); err != nil {
		p.t.Fatal(err)
	}
}

// next opens the next RTP packet that arrives, skipping reports.
func (p *peer) next() []byte {
	p.t.Helper()
	for {
		b := receive(p.t, p.conn)
		if b[1] >= 192 && b[1] < 224 {
			continue
		}
		plain, err := p.open.DecryptRTP(nil, b, nil)
		if err != nil {
			p.t.Fatalf("open: %v", err)
		}
		return plain
	}
}

// heard waits until the plane has read more than n packets, so that its socket's buffer is not what loses them.
func heard(t testing.TB, p *Plane, n uint64) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); p.Stats().PacketsIn <= n; <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("read %d packets, want more than %d", p.Stats().PacketsIn, n)
		}
	}
}

// dropped waits until a counter has reached n.
func dropped(t testing.TB, p *Plane, d Drop, n uint64) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); p.Stats().Dropped[d] < n; <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%v: %d, want %d; all: %v", d, p.Stats().Dropped[d], n, p.Stats().Dropped)
		}
	}
}

func TestForwards(t *testing.T) {
	_, a, b := world(t)
	for seq := uint16(100); seq < 200; seq++ {
		a.send(a.sealed(aliceVideo, 96, seq, key))
		b.send(b.sealed(bobVideo, 120, seq, key))
		if got := read(t, b.next()); got.SSRC != toBobVideo || got.SequenceNumber != seq || got.PayloadType != 120 {
			t.Fatalf("bob got %v", got)
		}
		if got := read(t, a.next()); got.SSRC != toAliceVideo || got.SequenceNumber != seq || got.PayloadType != 96 {
			t.Fatalf("alice got %v", got)
		}
	}
}

func TestReportsAndRequests(t *testing.T) {
	_, a, b := world(t)
	b.port.Send(false, nil) // nothing to seal is nothing to send
	a.send(a.sealed(aliceVideo, 96, 1, delta))
	report := func(p *peer, want uint32) {
		t.Helper()
		for {
			got := receive(t, p.conn)
			if got[1] < 192 {
				continue
			}
			plain, err := p.open.DecryptRTCP(nil, got, nil)
			if err != nil {
				t.Fatal(err)
			}
			pkts, err := rtcp.Unmarshal(plain)
			if err != nil {
				t.Fatal(err)
			}
			if pli, ok := pkts[0].(*rtcp.PictureLossIndication); !ok || pli.MediaSSRC != want {
				t.Errorf("got %v", pkts)
			}
			return
		}
	}
	report(a, aliceVideo) // the relay's own: a video must begin with a key frame
	raw, err := rtcp.Marshal([]rtcp.Packet{&rtcp.PictureLossIndication{SenderSSRC: bobVideo, MediaSSRC: toBobVideo}})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		pli, err := b.seal.EncryptRTCP(nil, raw, nil)
		if err != nil {
			t.Fatal(err)
		}
		b.send(pli)
		report(a, aliceVideo)
	}
}

func TestOnlyConfirmedAddresses(t *testing.T) {
	p, a, b := world(t)
	elsewhere := socket(t)
	a.sendFrom(elsewhere, a.sealed(aliceVideo, 96, 1, key))
	dropped(t, p, DropUnconfirmed, 1)
	for _, junk := range [][]byte{{}, {22, 1, 2, 3}, {64, 1}, {3}, binding("nobody", 1), binding("ufrag10", 1)[:30], bytes.Repeat([]byte{128}, 1600)} {
		a.sendFrom(elsewhere, junk)
	}
	dropped(t, p, DropStranger, 5)
	dropped(t, p, DropOversize, 1)

	// The client moves: ICE confirms the new address, selects it, and the call goes on.
	a.confirm(elsewhere, "ufrag10")
	a.sendFrom(elsewhere, a.sealed(aliceVideo, 96, 2, key))
	if got := read(t, b.next()).SequenceNumber; got != 2 {
		t.Errorf("number %d", got)
	}
	a.conn = elsewhere
	a.port.Retarget(a.addr())
	b.send(b.sealed(bobVideo, 120, 1, key))
	if got := read(t, a.next()).SequenceNumber; got != 1 {
		t.Errorf("number %d", got)
	}
	// An address whose media is authentic stays its leg's, whoever else is said to be there; after that it belongs to the
	// leg that was confirmed last.
	b.port.Expect("again")
	b.sendFrom(elsewhere, binding("again", 8))
	dropped(t, p, DropStranger, 6)
	a.send(a.sealed(aliceVideo, 96, 4, key))
	if got := read(t, b.next()).SequenceNumber; got != 4 {
		t.Errorf("number %d", got)
	}
	p.confirmed(a.addr()).authenticAt.Store(int64(p.clock() - inUseTime))
	b.confirm(elsewhere, "again")
	a.send(a.sealed(aliceVideo, 96, 5, key))
	dropped(t, p, DropForged, 1)
}

func TestAddressesAreBounded(t *testing.T) {
	p, a, b := world(t)
	for range 3 * maxAddrs {
		a.confirm(socket(t), "ufrag10")
	}
	p.mu.RLock()
	n, all := len(a.port.addrs), len(p.addrs)
	p.mu.RUnlock()
	if n > maxAddrs || all > maxAddrs+1 {
		t.Errorf("%d addresses of one leg, %d in all", n, all)
	}
	a.send(a.sealed(aliceVideo, 96, 1, key)) // the one in use was kept
	if got := read(t, b.next()).SequenceNumber; got != 1 {
		t.Errorf("number %d", got)
	}
	for i := range 3 * maxUfrags {
		a.port.Expect(fmt.Sprintf("restart%d", i))
	}
	a.confirm(socket(t), fmt.Sprintf("restart%d", 3*maxUfrags-1))
	if n := len(p.ufrags); n != maxUfrags+1 {
		t.Errorf("%d ufrags of two legs, want %d", n, maxUfrags+1)
	}
	for i := range maxPending + 100 {
		p.asked([]byte("ufrag20"), stunID{byte(i), byte(i >> 8)}, a.addr(), netip.Addr{}, false, time.Second)
	}
	a.port.Close()
	b.port.Close()
	if len(p.ufrags) != 0 || len(p.addrs) != 0 || len(p.pending) != 0 {
		t.Errorf("left behind: %v %v %v", p.ufrags, p.addrs, p.pending)
	}
}

// One end on the plane, the other pion's: plain packets change hands, and a slow reader loses them.
func TestMixedCall(t *testing.T) {
	p, a, b := world(t)
	call := b.port.call
	b.port.Close()
	port := p.NewPort(call, 1, func() {})
	t.Cleanup(port.Close)
	got := make(chan []byte)
	run := port.LeaveToPion(func(report bool, b []byte) {
		if !report {
			got <- b
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { run(); cancel() }()
	for seq := range uint16(3 * queueLimit) {
		a.send(a.sealed(aliceVideo, 96, seq, key))
		if seq%32 == 0 {
			heard(t, p, uint64(seq))
		}
	}
	dropped(t, p, DropQueue, queueLimit)
	if pkt := read(t, <-got); pkt.SSRC != toBobVideo || pkt.SequenceNumber != 0 {
		t.Errorf("got %v", pkt)
	}
	port.Close()
	for ctx.Err() == nil {
		select {
		case <-got:
		case <-ctx.Done():
		}
	}
}

func FuzzDatagram(f *testing.F) {
	f.Add(binding("ufrag10", 3), true)
	f.Add([]byte{0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0xa2, 1, 2, 3}, true)
	f.Add([]byte{0x80, 200, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0xa2, 1, 2, 3}, true)
	f.Add([]byte{22, 0xfe, 0xfd}, false)
	p, a, _ := world(f)
	sock, err := udp.Take(socket(f), udp.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { sock.Close() })
	w := newWorker(p, sock)
	f.Fuzz(func(t *testing.T, b []byte, known bool) {
		spin.Watch(t)
		from := netip.MustParseAddrPort("127.0.0.1:9")
		if known {
			from = a.addr()
		}
		// The loop has the port's contexts to itself, and here it has nothing to do.
		w.take(append(b, make([]byte, trailer)...)[:len(b)], from, netip.Addr{}, time.Second)
		w.out.Discard()
		w.used = 0
		for {
			select {
			case buf := <-p.up:
				buffers.Put(buf)
				continue
			default:
			}
			break
		}
	})
}
