package plane

// The five ways to use a nonce twice (see the package's comment and ARCHITECTURE.md), and why none of them exists.

import (
	"bytes"
	"net"
	"net/netip"
	"testing"

	"github.com/pion/rtcp"
)

// 1: two sources in turn go out under one key and SSRC.
func TestNonceTwoSources(t *testing.T) {
	p, a, b := world(t)
	seen := map[uint16]bool{}
	for round := range byte(5) {
		for i := range uint16(50) {
			a.send(a.sealed(aliceVideo, 96, 100+i, key)) // every source begins at the same number
			seq := read(t, b.next()).SequenceNumber
			if seen[seq] {
				t.Fatalf("number %d a second time, in round %d", seq, round)
			}
			seen[seq] = true
		}
		a.port.Close()
		a.port.call.SetLeg(0, nil)
		n := 30 + 10*round
		a = connect(t, p, b.port.call, 0, n)
		b.port.call.SetLeg(0, alice(uint64(n)))
	}
}

// 2: a duplicate would be sealed twice.
func TestNonceDuplicates(t *testing.T) {
	p, a, b := world(t)
	one, two := a.sealed(aliceVideo, 96, 1, key), a.sealed(aliceVideo, 96, 2, key)
	a.send(one)
	a.send(bytes.Clone(one))
	a.send(two)
	if got := read(t, b.next()).SequenceNumber; got != 1 {
		t.Errorf("number %d", got)
	}
	if got := read(t, b.next()).SequenceNumber; got != 2 {
		t.Errorf("number %d, want 2: the duplicate went through", got)
	}
	dropped(t, p, DropForged, 1)
	raw, err := rtcp.Marshal([]rtcp.Packet{&rtcp.PictureLossIndication{SenderSSRC: bobVideo, MediaSSRC: toBobVideo}})
	if err != nil {
		t.Fatal(err)
	}
	pli, err := b.seal.EncryptRTCP(nil, raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.send(pli)
	b.send(pli)
	dropped(t, p, DropForged, 2)
	for i := range uint64(replayWindow + 1) {
		two = a.sealed(aliceVideo, 96, 3, key)
		two[3]++ // a forged number does not move the window
		a.send(two)
		if i%64 == 0 || i == replayWindow { // no faster than the socket holds
			dropped(t, p, DropForged, 2+i+1)
		}
	}
	a.send(a.sealed(aliceVideo, 96, 4, key))
	if got := read(t, b.next()).SequenceNumber; got != 4 {
		t.Errorf("number %d, want 4", got)
	}
}

// 3: pion holds the same keys and would count from zero: its media does not reach the network.
func TestNoncePionMayNotWrite(t *testing.T) {
	p, a, _ := world(t)
	rtp, report := make1(t, 96, 1, 1, 1, key), []byte{0x80, 200, 0, 1, 0, 0, 0, 1}
	stranger := socket(t)
	for i, to := range []netip.AddrPort{a.addr(), a.addr(), stranger.LocalAddr().(*net.UDPAddr).AddrPort()} {
		b := rtp
		if i == 1 {
			b = report
		}
		if n, err := p.WriteToAddrPort(b, to); n != len(b) || err != nil {
			t.Errorf("pion is told %d, %v", n, err)
		}
	}
	if n := p.Stats().Dropped[DropBypass]; n != 3 {
		t.Errorf("%d dropped, want 3", n)
	}
	// A leg that is pion's may.
	c := p.NewCall()
	e := &peer{t: t, plane: p, conn: socket(t)}
	e.port = p.NewPort(c, 0, func() {})
	t.Cleanup(e.port.Close)
	e.port.Expect("late")
	e.confirm(e.conn, "late")
	_, _ = p.WriteToAddrPort(rtp, e.addr())
	if n := p.Stats().Dropped[DropBypass]; n != 4 {
		t.Error("pion may write before the leg is decided")
	}
	run := e.port.LeaveToPion(func(bool, []byte) {})
	done := make(chan struct{})
	go func() { run(); close(done) }()
	_, _ = p.WriteToAddrPort(rtp, e.addr())
	if got := receive(t, e.conn); !bytes.Equal(got, rtp) {
		t.Errorf("got %x", got)
	}
	e.port.Close()
	<-done
}

// 4: once decided, always decided: no way back to pion, no second use of the keys.
func TestNonceDecidedOnce(t *testing.T) {
	_, a, _ := world(t)
	if err := a.port.Activate(greeting(10), a.addr()); err == nil {
		t.Error("a leg was activated a second time")
	}
	run := a.port.LeaveToPion(func(bool, []byte) { t.Error("a leg of the plane was given to pion") })
	a.port.Send(false, make1(t, 96, 1, 1, 1, key))
	if !a.port.OnPlane() {
		t.Error("the leg left the plane")
	}
	a.port.Close()
	_ = run
	k := greeting(1)
	if _, _, err := k.contexts(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.contexts(); err == nil {
		t.Error("keys can be derived twice from one handshake")
	}
}

// 5: reports have numbers of their own, which one context gives out, to the loop and to all others that send; pion's do not
// reach the network.
func TestNonceReports(t *testing.T) {
	p, a, b := world(t)
	pli, err := rtcp.Marshal([]rtcp.Packet{&rtcp.PictureLossIndication{SenderSSRC: bobVideo, MediaSSRC: toBobVideo}})
	if err != nil {
		t.Fatal(err)
	}
	const each = 50
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range each {
			a.port.Send(true, bytes.Clone(pli))
			_, _ = p.WriteToAddrPort([]byte{0x80, 200, 0, 1, 0, 0, 0, 1}, a.addr())
		}
	}()
	for range each {
		sealed, err := b.seal.EncryptRTCP(nil, pli, nil)
		if err != nil {
			t.Fatal(err)
		}
		b.send(sealed)
	}
	seen := map[string]bool{}
	for range 2 * each {
		report := receive(t, a.conn)
		if _, err := a.open.DecryptRTCP(nil, report, nil); err != nil {
			t.Errorf("not the plane's, or a second time: %v", err)
		}
		seen[string(report[4:8])+string(report[len(report)-4:])] = true // SSRC and index make the nonce (RFC 7714, section 9)
	}
	<-done
	if len(seen) != 2*each {
		t.Errorf("%d nonces for %d reports", len(seen), 2*each)
	}
	if n := p.Stats().Dropped[DropBypass]; n != each {
		t.Errorf("%d of pion's dropped, want %d", n, each)
	}
}
