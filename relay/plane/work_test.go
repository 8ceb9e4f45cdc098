package plane

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"
)

// list is an RTCP packet that ends with as many entries as fit into a datagram.
func list(count, kind uint8, head int, entry func(dst []byte) []byte) []byte {
	b := append([]byte{0x80 | count, kind, 0, 0}, make([]byte, head-4)...)
	for len(b)+40 < largest-trailer {
		b = entry(b)
	}
	return seal(b, 0)
}

// compound is as many RTCP packets as fit into a datagram.
func compound(one []byte) (b []byte) {
	for len(b)+len(one) < largest-trailer {
		b = append(b, one...)
	}
	return b
}

// reportOf is a report that speaks of count numbers, none of which came, in chunks of the given kind.
func reportOf(base, count, chunk uint16, chunks int) []byte {
	r := []byte{0x80 | fmtTransport, typeRTPFB, 0, 0}
	r = binary.BigEndian.AppendUint32(r, bobVideo)
	r = binary.BigEndian.AppendUint32(r, toBobVideo)
	r = binary.BigEndian.AppendUint16(r, base)
	r = binary.BigEndian.AppendUint16(r, count)
	r = append(r, 0, 0, 0, 1)
	for range chunks {
		r = binary.BigEndian.AppendUint16(r, chunk)
	}
	return pad(r, 0)
}

// hostile are datagrams of bob's that ask for as much work as they can, when number suppressed of alice's was held back.
func hostile(suppressed uint16) map[string][]byte {
	four := func(dst []byte) []byte { return binary.BigEndian.AppendUint32(dst, toBobVideo) }
	nack := list(fmtNACK, typeRTPFB, 12, func(dst []byte) []byte { return append(dst, 0, 100, 0xff, 0xff) })
	binary.BigEndian.PutUint32(nack[8:], toBobVideo)
	remb := list(fmtREMB, typePSFB, 12, four)
	copy(remb[12:], "REMB\xff\x00\x00\x00")
	pli := []byte{0x80 | fmtPLI, typePSFB, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(pli[8:], toBobVideo)
	return map[string][]byte{
		"long reports":     compound(reportOf(suppressed-4000, 4096, 4096, 1)),
		"shorter reports":  compound(reportOf(suppressed-100, 480, 480, 1)),
		"reports of bits":  compound(reportOf(suppressed-100, 490, 0x8000, 35)),
		"reports of pairs": compound(reportOf(suppressed-100, 490, 0xc000, 70)),
		"empty reports":    compound([]byte{0x80, typeRR, 0, 1, 0, 0, 0, 1}),
		"report blocks":    compound(list(31, typeRR, 8, func(dst []byte) []byte { return append(four(dst), make([]byte, 20)...) })[:8+24*31]),
		"names":            compound(list(31, typeSDES, 4, func(dst []byte) []byte { return append(four(dst), 1, 1, 'x', 0) })[:4+8*31]),
		"NACKs":            nack,
		"FIRs":             list(fmtFIR, typePSFB, 12, func(dst []byte) []byte { return append(four(dst), 0, 0, 0, 0) }),
		"REMB":             remb,
		"PLIs":             compound(pli),
		"unknown":          compound([]byte{0x80, 210, 0, 1, 0, 0, 0, 1}),
	}
}

// held is a call in which alice was mute for one packet; seq is the next one of her video and transport-wide number.
func held(t testing.TB) (tr *Translator, seq uint16) {
	tr = spoken(t)
	for seq = 4200; seq < 4300; seq++ {
		tr.SetOn(0, Video, seq != 4250)
		tr.RTP(0, make1(t, 96, aliceVideo, seq, 9000, key, ext{3, string([]byte{byte(seq >> 8), byte(seq)})}), tick)
	}
	tr.SetOn(0, Video, true)
	return tr, seq
}

// Whatever a datagram of reports asks for, the steps taken for it are bounded.
func TestReportsAreBoundedInWork(t *testing.T) {
	for name, b := range hostile(4250) {
		t.Run(name, func(t *testing.T) {
			tr, _ := held(t)
			out := tr.RTCP(1, b, nil, tick)
			if tr.work < 0 || tr.work > rtcpWork-packetWork {
				t.Errorf("%d steps are left of %d", tr.work, rtcpWork)
			}
			packets := 0
			for rest := out; len(rest) >= 4; packets++ {
				rest = rest[4+4*int(binary.BigEndian.Uint16(rest[2:])):]
			}
			if packets > rtcpWork/packetWork {
				t.Errorf("%d packets came of it", packets)
			}
		})
	}
}

// Of a long report over a hole the browsers' congestion control still learns.
func TestLongReportPasses(t *testing.T) {
	tr, seq := held(t)
	if out := tr.RTCP(1, reportOf(seq-4096, 4096, 4096, 1), nil, tick); len(out) != 24 {
		t.Errorf("%d bytes", len(out))
	}
}

// A leg may send so many packets a second, and reports count with the media; they have some credit when that is used up.
func TestPacketsASecond(t *testing.T) {
	const rate, most = 120_000, 120_000/meanPacket + morePackets
	tr := call()
	tr.Limit(rate)
	now, sent := time.Second, 0
	for seq := range 10 * most {
		if v, _ := tr.RTP(0, make1(t, 111, aliceAudio, uint16(seq), 1, []byte{1}), now); v == Forward {
			sent++
		}
	}
	if sent != most {
		t.Errorf("%d packets at once, want %d", sent, most)
	}
	reports := 0
	rr := []byte{0x80, typeRR, 0, 1, 0, 0, 0, 1}
	for range 10 * most {
		if len(tr.RTCP(0, rr, nil, now)) > 0 {
			reports++
		}
	}
	if want := most / 4; reports != want {
		t.Errorf("%d reports beside them, want %d", reports, want)
	}
	if !tr.exceeds(0, overMedia, now) || !tr.exceeds(0, overReports, now) || tr.exceeds(0, overMedia, now+excessPause) || tr.exceeds(1, overMedia, now) {
		t.Error("the loop does not know who sends too much")
	}
}

// A picture of which the relay has dropped a part is asked for by the relay, once.
func TestExcessAsksForAKeyFrame(t *testing.T) {
	tr := spoken(t)
	tr.Limit(10_000)
	now := 10 * time.Second
	tr.Wanted(0, now) // of the beginning
	seq, excess := uint16(200), false
	big := append([]byte{0x10, 0x01}, make([]byte, 1000)...)
	for ; !excess; seq++ {
		v, ask := tr.RTP(0, make1(t, 96, aliceVideo, seq, 1, big), now)
		if excess = v == Excess; ask {
			t.Fatal("asked before anything was lost")
		}
	}
	now += time.Second
	v, ask := tr.RTP(0, make1(t, 96, aliceVideo, seq, 1, delta), now)
	if v != Forward || !ask {
		t.Errorf("after the loss: %v, asks %v", v, ask)
	}
	if ssrcs, some := tr.Wanted(0, now); !some || ssrcs[Video] != aliceVideo {
		t.Errorf("asks %v", ssrcs)
	}
	if _, ask := tr.RTP(0, make1(t, 96, aliceVideo, seq+1, 1, delta), now+time.Second); ask {
		t.Error("asked twice for one loss")
	}
}

// A source that goes on after days goes on with its time.
func TestTimeAfterALongPause(t *testing.T) {
	tr := spoken(t)
	day := 24 * time.Hour
	last := read(t, forwarded(t, tr, make1(t, 96, aliceVideo, 300, 5000, key), day)).Timestamp
	next := read(t, forwarded(t, tr, make1(t, 96, 0xee, 1, 77, key, ext{4, "1"}), 31*day)).Timestamp
	if want := uint32(30 * day / time.Second * 90000 % (1 << 32)); next-last != want {
		t.Errorf("%d ticks after 30 days, want %d", next-last, want)
	}
}

func forwarded(t testing.TB, tr *Translator, b []byte, now time.Duration) []byte {
	t.Helper()
	if v, _ := tr.RTP(0, b, now); v != Forward {
		t.Fatal(v)
	}
	return b
}

// The set agrees with a plain one.
func TestRing(t *testing.T) {
	r, plain := make(ring, 8), map[uint64]bool{}
	const size = 8 * 64
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		from, n := rnd.Uint64N(4*size), rnd.IntN(size+60)
		switch rnd.IntN(3) {
		case 0:
			r.add(from)
			plain[from%size] = true
		case 1:
			n /= 50
			r.clear(from, n)
			for i := range uint64(n) {
				delete(plain, (from+i)%size)
			}
		}
		any := false
		for i := range uint64(n) {
			any = any || plain[(from+i)%size]
		}
		if r.any(from, n) != any || r.has(from) != plain[from%size] {
			t.Fatalf("any(%d, %d) is %v, has %v", from, n, !any, r.has(from))
		}
	}
}

// BenchmarkDatagram is what the loop does for a datagram, and its sender's sealing: an ordinary packet, and those that ask
// for the most.
func BenchmarkDatagram(b *testing.B) {
	p, x, y := world(b)
	_ = p.Close() // the loop's work is ours
	w := newWorker(p, p.sock)
	now, seq := 10*time.Second, uint16(0)
	take := func(b []byte, from *peer) {
		now += time.Millisecond
		w.take(b, from.addr(), from.addr().Addr(), now)
		w.out.Discard()
		w.used = 0
	}
	full := append(append([]byte{}, key...), make([]byte, 1200)...)
	many := make([]ext, 0, 64)
	for i := range 64 {
		many = append(many, ext{uint8(i%8 + 5), "x"})
	}
	for _, c := range []struct {
		name    string
		jump    uint16
		payload []byte
		exts    []ext
	}{
		{"ordinary", 1, full, nil}, {"small", 1, key, nil}, {"jump", 32767, key, nil}, {"jump within the window", 511, key, nil}, {"extensions", 1, full, many},
	} {
		b.Run(c.name, func(b *testing.B) {
			packet := make1(b, 96, aliceVideo, 0, 0, c.payload, append(c.exts, ext{3, "\x00\x00"})...)
			parts, ok := parse(packet)
			if !ok {
				b.Fatal("no packet")
			}
			var sealed []byte
			var err error
			for b.Loop() {
				seq += c.jump
				parts.setSequence(seq)
				parts.extensions(func(id uint8, value []byte) uint8 {
					if id == 3 {
						binary.BigEndian.PutUint16(value, seq)
					}
					return id
				})
				sealed, err = x.seal.EncryptRTP(sealed[:0], packet, nil)
				if err != nil {
					b.Fatal(err)
				}
				take(sealed, x)
			}
		})
	}
	tr := x.port.call.Translator
	for n := range uint16(20) { // and one of them was held back
		tr.SetOn(0, Video, n != 10)
		seq++
		tr.RTP(0, make1(b, 96, aliceVideo, seq, uint32(seq), key, ext{3, string([]byte{byte(seq >> 8), byte(seq)})}), now)
	}
	tr.SetOn(0, Video, true)
	for name, report := range hostile(seq - 9) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				sealed, err := y.seal.EncryptRTCP(nil, report, nil)
				if err != nil {
					b.Fatal(err)
				}
				take(sealed, y)
			}
		})
	}
}
