package plane

// What the translator does to single packets, and to whole streams.

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/rtp"

	"duet/internal/spin"
)

// The two ends of the tests: different names for everything.
const (
	aliceAudio, aliceVideo, aliceRTX = 0xa1, 0xa2, 0xa3
	bobAudio, bobVideo, bobRTX       = 0xb1, 0xb2, 0xb3
	toAliceAudio, toAliceVideo       = 0x1a1, 0x1a2
	toBobAudio, toBobVideo, toBobRTX = 0x1b1, 0x1b2, 0x1b3
)

func alice(id uint64) *Leg {
	return &Leg{ID: id, Streams: [Kinds]*Stream{
		{
			Codecs: []Codec{{Name: "opus", PT: 111, Clock: 48000}, {Name: "red:opus", PT: 63, Clock: 48000, Family: RED}},
			Exts:   map[string]uint8{"level": 1, midURI: 4, transportURI: 3}, Mid: "0",
			Source: aliceAudio, Out: toAliceAudio,
		}, {
			Codecs: []Codec{{Name: "vp8", PT: 96, Clock: 90000, Family: VP8}, {Name: "rtx:vp8", PT: 97, Clock: 90000}},
			Exts:   map[string]uint8{midURI: 4, transportURI: 3, "only alice": 9}, Mid: "1",
			Source: aliceVideo, SourceRTX: aliceRTX, Out: toAliceVideo, OutRTX: 0x1a3,
		},
	}}
}

func bob(id uint64) *Leg {
	return &Leg{ID: id, Streams: [Kinds]*Stream{
		{
			Codecs: []Codec{{Name: "opus", PT: 109, Clock: 48000}, {Name: "red:opus", PT: 60, Clock: 48000, Family: RED}},
			Exts:   map[string]uint8{"level": 5, midURI: 7, transportURI: 8}, Mid: "a",
			Source: bobAudio, Out: toBobAudio,
		}, {
			Codecs: []Codec{{Name: "vp8", PT: 120, Clock: 90000, Family: VP8}, {Name: "rtx:vp8", PT: 121, Clock: 90000}},
			Exts:   map[string]uint8{midURI: 7, transportURI: 8}, Mid: "b",
			Source: bobVideo, SourceRTX: bobRTX, Out: toBobVideo, OutRTX: toBobRTX,
		},
	}}
}

func call() *Translator {
	t := NewTranslator()
	t.SetLeg(0, alice(1))
	t.SetLeg(1, bob(2))
	return t
}

var key, delta = []byte{0x10, 0x00, 1, 2, 3}, []byte{0x10, 0x01, 1, 2, 3}

type ext struct {
	id    uint8
	value string
}

func make1(t testing.TB, pt uint8, ssrc uint32, seq uint16, ts uint32, payload []byte, exts ...ext) []byte {
	t.Helper()
	p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: pt, SSRC: ssrc, SequenceNumber: seq, Timestamp: ts, Marker: true}, Payload: payload}
	for _, e := range exts {
		if err := p.SetExtension(e.id, []byte(e.value)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t testing.TB, b []byte) rtp.Packet {
	t.Helper()
	var p rtp.Packet
	if err := p.Unmarshal(b); err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	return p
}

const tick = 8 * time.Millisecond

func TestNamesAreTheReceivers(t *testing.T) {
	tr := call()
	b := make1(t, 96, aliceVideo, 500, 9000, key, ext{4, "1"}, ext{3, "\x00\x07"}, ext{9, "secret"})
	if v, _ := tr.RTP(0, b, tick); v != Forward {
		t.Fatalf("result %v", v)
	}
	p := read(t, b)
	if p.SSRC != toBobVideo || p.PayloadType != 120 || p.SequenceNumber != 500 || p.Timestamp != 9000 || !p.Marker || !bytes.Equal(p.Payload, key) {
		t.Errorf("got %v", p)
	}
	if string(p.GetExtension(7)) != "b" || string(p.GetExtension(8)) != "\x00\x07" {
		t.Errorf("extensions: mid %q, transport %q", p.GetExtension(7), p.GetExtension(8))
	}
	for _, id := range p.GetExtensionIDs() {
		if id != 7 && id != 8 {
			t.Errorf("extension %d with %q was passed on", id, p.GetExtension(id))
		}
	}
	if bytes.Contains(b, []byte("secret")) {
		t.Error("the value of an extension that was not negotiated was passed on")
	}
}

func TestRetransmission(t *testing.T) {
	tr := call()
	for seq := uint16(65530); seq != 5; seq++ {
		b := make1(t, 96, aliceVideo, seq, 9000, key)
		if v, _ := tr.RTP(0, b, tick); v != Forward {
			t.Fatalf("result %v", v)
		}
		if got := read(t, b).SequenceNumber; got != 65530&0x7fff+seq-65530 {
			t.Errorf("number %d for %d", got, seq)
		}
	}
	rtx := func(osn uint16, payload ...byte) ([]byte, Result) {
		b := make1(t, 97, aliceRTX, 77, 9000, append(binary.BigEndian.AppendUint16(nil, osn), payload...))
		v, _ := tr.RTP(0, b, tick)
		return b, v
	}
	if _, v := rtx(65000, 9); v != Stale {
		t.Errorf("a repeat of what was never sent: %v", v)
	}
	b, v := rtx(1, 9)
	if v != Forward {
		t.Fatalf("result %v", v)
	}
	p := read(t, b)
	if p.SSRC != toBobRTX || p.PayloadType != 121 || binary.BigEndian.Uint16(p.Payload) != 65530&0x7fff+7 || p.Payload[2] != 9 {
		t.Errorf("got %v", p)
	}
	if _, v := rtx(1, 9); v != Stale {
		t.Errorf("the same number twice: %v", v)
	}
}

func TestREDNamesItsBlocks(t *testing.T) {
	tr := call()
	b := make1(t, 63, aliceAudio, 1, 1, []byte{0x80 | 111, 0, 0, 2, 111, 'o', 'l', 'n'})
	if v, _ := tr.RTP(0, b, tick); v != Forward {
		t.Fatalf("result %v", v)
	}
	if p := read(t, b); p.PayloadType != 60 || !bytes.Equal(p.Payload, []byte{0x80 | 109, 0, 0, 2, 109, 'o', 'l', 'n'}) {
		t.Errorf("got %v %x", p.PayloadType, p.Payload)
	}
}

func TestMuteAndBack(t *testing.T) {
	tr := call()
	now := tick
	send := func(seq uint16, payload []byte) (uint16, Result) {
		now += tick
		b := make1(t, 96, aliceVideo, seq, uint32(seq)*100, payload)
		v, _ := tr.RTP(0, b, now)
		return binary.BigEndian.Uint16(b[2:]), v
	}
	if _, v := send(10, delta); v != Waiting {
		t.Errorf("a video that begins with a delta frame: %v", v)
	}
	if ssrcs, some := tr.Wanted(0, now); !some || ssrcs[Video] != aliceVideo {
		t.Error("no key frame is asked for at the beginning")
	}
	if seq, v := send(11, key); v != Forward || seq != 11 {
		t.Fatalf("%d %v", seq, v)
	}
	tr.SetOn(0, Video, false)
	for seq := uint16(12); seq < 40000; seq++ { // further than half the number space
		if _, v := send(seq, key); v != Muted {
			t.Fatalf("muted: %v", v)
		}
	}
	if ssrcs, some := tr.Wanted(0, now); some {
		t.Errorf("a muted camera is asked for a key frame: %v", ssrcs)
	}
	tr.SetOn(0, Video, true)
	if ssrcs, some := tr.Wanted(0, now); !some || ssrcs[Video] != aliceVideo {
		t.Error("no key frame is asked for at once")
	}
	if _, v := send(40000, delta); v != Waiting {
		t.Errorf("a picture that builds on muted ones: %v", v)
	}
	if seq, v := send(40001, key); v != Forward || seq != 12 {
		t.Errorf("number %d after the mute (%v), want 12", seq, v)
	}
	if seq, v := send(40003, delta); v != Forward || seq != 14 {
		t.Errorf("a real loss must stay one: %d, %v", seq, v)
	}
	if seq, v := send(40002, delta); v != Forward || seq != 13 {
		t.Errorf("a late packet: %d, %v", seq, v)
	}
	if _, v := send(40002, delta); v != Stale {
		t.Errorf("the same packet again: %v", v)
	}
	if _, v := send(39999, delta); v != Stale {
		t.Errorf("a packet of the muted time: %v", v)
	}
}

func TestNoKeyFrameIsRecognised(t *testing.T) {
	tr := call()
	for now := tick; ; now += tick {
		b := make1(t, 96, aliceVideo, uint16(now/tick), 0, []byte{0xff})
		if v, _ := tr.RTP(0, b, now); v == Forward {
			if now < keyFrameTimeout {
				t.Errorf("opened after %v", now)
			}
			return
		}
		if now > 2*keyFrameTimeout {
			t.Fatal("an unreadable video never passes")
		}
	}
}

// A reload: another SSRC, other numbers, another clock; the receiver sees one stream.
func TestAnotherSource(t *testing.T) {
	tr := call()
	b := make1(t, 96, aliceVideo, 100, 5000, key)
	tr.RTP(0, b, time.Second)
	tr.SetLeg(0, nil)
	again := alice(3)
	again.Streams[Video].Source = 0xaa2
	tr.SetLeg(0, again)
	if ssrcs, some := tr.Wanted(0, time.Second); !some || ssrcs[Video] != 0xaa2 {
		t.Errorf("key frame asked of %x", ssrcs)
	}
	b = make1(t, 96, 0xaa2, 7, 77, key)
	if v, _ := tr.RTP(0, b, 2*time.Second); v != Forward {
		t.Fatalf("result %v", v)
	}
	if p := read(t, b); p.SequenceNumber != 101 || p.Timestamp != 5000+90000 || p.SSRC != toBobVideo {
		t.Errorf("number %d, time %d; want 101 and %d", p.SequenceNumber, p.Timestamp, 5000+90000)
	}
	b = make1(t, 96, aliceVideo, 101, 5000, key)
	if v, _ := tr.RTP(0, b, 2*time.Second); v == Forward {
		t.Error("the old source still speaks")
	}
	// Into a new leg of bob's numbers start anew: it has other keys.
	tr.SetLeg(1, bob(4))
	b = make1(t, 96, 0xaa2, 8, 77, key)
	if v, _ := tr.RTP(0, b, 2*time.Second); v != Forward {
		t.Fatalf("result %v", v)
	}
	if p := read(t, b); p.SequenceNumber != 8 {
		t.Errorf("number %d into a fresh leg, want 8", p.SequenceNumber)
	}
}

// The same SSRC with fresh keys is another source, wherever its numbers begin.
func TestSameSSRCAgain(t *testing.T) {
	tr := call()
	tr.RTP(0, make1(t, 111, aliceAudio, 30000, 5000, key), time.Second)
	tr.SetLeg(0, alice(3))
	b := make1(t, 111, aliceAudio, 20, 10, key)
	if v, _ := tr.RTP(0, b, 2*time.Second); v != Forward || read(t, b).SequenceNumber != 30001 {
		t.Errorf("%v %v", v, read(t, b))
	}
}

// An SSRC that no offer named is found by its mid or payload type, but does not push out one that speaks.
func TestUndeclaredSource(t *testing.T) {
	tr := NewTranslator()
	leg := alice(1)
	leg.Streams[Audio].Source = 0
	tr.SetLeg(0, leg)
	tr.SetLeg(1, bob(2))
	if v, _ := tr.RTP(0, make1(t, 111, 0x77, 1, 1, key, ext{4, "9"}), tick); v != Unknown {
		t.Errorf("a foreign mid: %v", v)
	}
	if v, _ := tr.RTP(0, make1(t, 111, 0x77, 1, 1, key, ext{4, "0"}), tick); v != Forward {
		t.Errorf("the first source: %v", v)
	}
	if v, _ := tr.RTP(0, make1(t, 111, 0x78, 1, 1, key), 2*tick); v != Unknown {
		t.Errorf("a second source at the same time: %v", v)
	}
	if v, _ := tr.RTP(0, make1(t, 111, 0x78, 2, 1, key), time.Second); v != Forward {
		t.Errorf("a second source after the first: %v", v)
	}
	if v, _ := tr.RTP(0, make1(t, 33, 0x78, 2, 1, key), time.Second); v != Unknown {
		t.Errorf("a payload type that was not negotiated: %v", v)
	}
}

func TestScreenOnTheVideoSection(t *testing.T) {
	tr := call()
	tr.SetOn(0, Video, false)
	if v, _ := tr.RTP(0, make1(t, 96, aliceVideo, 1, 1, key), tick); v != Muted {
		t.Errorf("%v", v)
	}
	tr.SetOn(0, Screen, true)
	if v, _ := tr.RTP(0, make1(t, 96, aliceVideo, 2, 1, key), tick); v != Forward {
		t.Errorf("a screen in the camera's place: %v", v)
	}
}

// What is too much is lost as on a slow line: the receiver sees the gap.
func TestLimit(t *testing.T) {
	tr := call()
	tr.Limit(10_000)
	now, sent, last := time.Second, 0, uint16(0)
	for seq := uint16(1); seq <= 1000; seq++ { // 100,000 bytes in ten seconds are allowed, and one second's burst; 250,000 come
		now += 10 * time.Millisecond
		b := make1(t, 111, aliceAudio, seq, 1, make([]byte, 238))
		switch v, _ := tr.RTP(0, b, now); v {
		case Forward:
			sent += len(b)
			if last = read(t, b).SequenceNumber; last != seq {
				t.Fatalf("number %d became %d", seq, last)
			}
		case Excess:
		default:
			t.Fatal(v)
		}
	}
	if sent < 95_000 || sent > 111_000 {
		t.Errorf("%d bytes went through", sent)
	}
	if v, _ := tr.RTP(1, make1(t, 120, bobVideo, 1, 1, key), now); v != Forward {
		t.Errorf("the other end suffers: %v", v)
	}
}

func FuzzRTP(f *testing.F) {
	f.Add(make1(f, 96, aliceVideo, 1, 1, key, ext{4, "1"}, ext{3, "\x00\x07"}))
	f.Add(make1(f, 63, aliceAudio, 1, 1, []byte{0x80 | 111, 0, 0, 2, 111, 1, 2}))
	f.Add(make1(f, 97, aliceRTX, 1, 1, []byte{0, 1, 2}))
	f.Add([]byte{0xbf, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0xa2})
	f.Fuzz(func(t *testing.T, b []byte) {
		spin.Watch(t)
		tr := call()
		tr.RTP(0, make1(t, 96, aliceVideo, 1, 1, key), tick)
		in := bytes.Clone(b)
		v, _ := tr.RTP(0, b, tick)
		if v != Forward {
			return
		}
		p, ok := parse(b)
		if !ok {
			t.Fatalf("%x became %x", in, b)
		}
		switch p.ssrc() {
		case toBobAudio, toBobVideo, toBobRTX:
		default:
			t.Fatalf("sent under SSRC %x", p.ssrc())
		}
		p.extensions(func(id uint8, _ []byte) uint8 {
			if id != 5 && id != 7 && id != 8 {
				t.Errorf("extension %d went through", id)
			}
			return id
		})
		if before, _ := parse(in); before.payload != p.payload || before.end != p.end {
			t.Error("the parts moved")
		}
	})
}

func BenchmarkTranslate(b *testing.B) {
	tr := call()
	packet := make1(b, 96, aliceVideo, 0, 0, append(bytes.Clone(key), make([]byte, 1200)...), ext{4, "1"}, ext{3, "\x00\x07"})
	buf := make([]byte, len(packet))
	b.ReportAllocs()
	for seq := uint16(0); b.Loop(); seq++ {
		copy(buf, packet)
		binary.BigEndian.PutUint16(buf[2:], seq)
		tr.RTP(0, buf, tick)
	}
}
