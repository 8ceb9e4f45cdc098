package plane

// What must leave nothing behind: forged packets, those before a leg is decided, and those of too many sources.

// Packets that do not authenticate.

import (
	"encoding/binary"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

// What does not authenticate leaves nothing behind: no place among a leg's sources, and no state in the library, which has
// been so since pion/srtp 3.1.3. When this fails after an upgrade, anybody who can spoof an address fills memory.
func TestForgedPacketsLeaveNothing(t *testing.T) {
	p, x, _ := world(t)
	sealed := x.sealed(aliceVideo, 96, 1, key)
	_ = p.Close() // the loop's work is ours
	w := newWorker(p, p.sock)
	take := func(b []byte) { w.take(b, x.addr(), netip.Addr{}, time.Minute) }
	take(sealed)
	states := func(kind string) int { return reflect.ValueOf(x.port.open).Elem().FieldByName(kind).Len() }
	for i := range uint32(3 * maxSources) {
		rtp := make1(t, 96, 7000+i, 1, 1, make([]byte, 60))
		take(rtp)
		rtcp := append([]byte{0x80, typeRR, 0, 1, 0, 0, 0, 0}, make([]byte, 40)...)
		binary.BigEndian.PutUint32(rtcp[4:], 7000+i)
		take(rtcp)
	}
	if n, m := len(x.port.sources[0]), len(x.port.sources[1]); n != 1 || m != 0 {
		t.Errorf("%d sources of RTP and %d of RTCP are counted, want 1 and 0", n, m)
	}
	if n, m := states("srtpSSRCStates"), states("srtcpSSRCStates"); n != 1 || m != 0 {
		t.Errorf("the library keeps %d states of RTP and %d of RTCP, want 1 and 0", n, m)
	}
	if n := p.Stats().Dropped[DropForged]; n != 6*maxSources {
		t.Errorf("%d packets were taken for forged, want %d", n, 6*maxSources)
	}
}

// A client that sends under a new SSRC each time must not make the replay windows grow without end.
func TestSourcesAreBounded(t *testing.T) {
	p, a, b := world(t)
	a.send(a.sealed(aliceVideo, 96, 1, key))
	read(t, b.next())
	for i := range uint32(maxSources - 1) {
		a.send(a.sealed(5000+i, 96, 1, key))
	}
	for i := range uint32(3) {
		a.send(a.sealed(6000+i, 96, 1, key))
	}
	dropped(t, p, DropSources, 3)
	a.send(a.sealed(aliceVideo, 96, 2, key)) // those that are known go on
	read(t, b.next())
}

func TestEarlyMedia(t *testing.T) {
	p, _, b := world(t)
	c := &peer{t: t, plane: p, conn: socket(t)}
	c.port = p.NewPort(p.NewCall(), 0, func() { t.Error("an undecided leg was heard") })
	t.Cleanup(c.port.Close)
	c.port.Expect("undecided")
	c.confirm(c.conn, "undecided")
	c.seal = b.seal
	c.send(c.sealed(1, 96, 1, key))
	dropped(t, p, DropUndecided, 1)
}
