package plane

// What the translator does to RTCP, with pion/rtcp as the second opinion.

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"duet/internal/spin"
)

// spoken is a call in which alice's video and audio have been heard: her numbers 100 to 120, as 100 to 120.
func spoken(t testing.TB) *Translator {
	tr := call()
	for seq := uint16(100); seq <= 120; seq++ {
		tr.RTP(0, make1(t, 96, aliceVideo, seq, 9000, key, ext{3, string([]byte{0, byte(seq)})}), tick)
	}
	tr.RTP(0, make1(t, 111, aliceAudio, 5, 1, key), tick)
	tr.RTP(1, make1(t, 120, bobVideo, 5, 1, key), tick)
	return tr
}

func translate(t testing.TB, tr *Translator, from Side, pkts ...rtcp.Packet) []rtcp.Packet {
	t.Helper()
	raw, err := rtcp.Marshal(pkts)
	if err != nil {
		t.Fatal(err)
	}
	out := tr.RTCP(from, raw, nil, tick)
	if len(out) == 0 {
		return nil
	}
	got, err := rtcp.Unmarshal(out)
	if err != nil {
		t.Fatalf("%x: %v", out, err)
	}
	return got
}

func TestFeedback(t *testing.T) {
	for name, c := range map[string]struct {
		from     Side
		in, want rtcp.Packet
	}{
		"PLI":                   {1, &rtcp.PictureLossIndication{SenderSSRC: bobVideo, MediaSSRC: toBobVideo}, &rtcp.PictureLossIndication{SenderSSRC: toAliceVideo, MediaSSRC: aliceVideo}},
		"PLI of a stranger":     {1, &rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: 99}, nil},
		"PLI of another sender": {1, &rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: toBobVideo}, &rtcp.PictureLossIndication{SenderSSRC: toAliceAudio, MediaSSRC: aliceVideo}},
		"FIR": {1, &rtcp.FullIntraRequest{SenderSSRC: 1, MediaSSRC: 9, FIR: []rtcp.FIREntry{{SSRC: toBobVideo, SequenceNumber: 7}, {SSRC: 5}}},
			&rtcp.FullIntraRequest{SenderSSRC: toAliceAudio, FIR: []rtcp.FIREntry{{SSRC: aliceVideo, SequenceNumber: 7}}}},
		"REMB": {1, &rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: 1, Bitrate: 131072, SSRCs: []uint32{toBobVideo, 8, toBobRTX}},
			&rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: toAliceAudio, Bitrate: 131072, SSRCs: []uint32{aliceVideo, aliceRTX}}},
		"NACK": {1, &rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: toBobVideo, Nacks: []rtcp.NackPair{{PacketID: 107, LostPackets: 3}, {PacketID: 50}}},
			&rtcp.TransportLayerNack{SenderSSRC: toAliceAudio, MediaSSRC: aliceVideo, Nacks: []rtcp.NackPair{{PacketID: 107, LostPackets: 3}}}},
		"receiver report": {1, &rtcp.ReceiverReport{SSRC: bobAudio, Reports: []rtcp.ReceptionReport{{SSRC: toBobVideo, FractionLost: 9, TotalLost: 3, LastSequenceNumber: 1<<16 | 118, Jitter: 4, LastSenderReport: 5, Delay: 6}, {SSRC: 1}}},
			&rtcp.ReceiverReport{SSRC: toAliceAudio, Reports: []rtcp.ReceptionReport{{SSRC: aliceVideo, FractionLost: 9, TotalLost: 3, LastSequenceNumber: 118, Jitter: 4, LastSenderReport: 5, Delay: 6}}, ProfileExtensions: []byte{}}},
		"sender report": {0, &rtcp.SenderReport{SSRC: aliceVideo, NTPTime: 1 << 40, RTPTime: 12345, PacketCount: 1, OctetCount: 2},
			&rtcp.SenderReport{SSRC: toBobVideo, NTPTime: 1 << 40, RTPTime: 12345, PacketCount: 21, OctetCount: 21 * 5, ProfileExtensions: []byte{}}},
		"name":    {0, &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{Source: aliceAudio, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "abcd"}, {Type: rtcp.SDESTool, Text: "x"}}}, {Source: 4}}}, &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{Source: toBobAudio, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "abcd"}}}}}},
		"goodbye": {0, &rtcp.Goodbye{Sources: []uint32{aliceVideo}}, nil},
	} {
		got := translate(t, spoken(t), c.from, c.in)
		if c.want == nil {
			if got != nil {
				t.Errorf("%s: got %v, want nothing", name, got)
			}
			continue
		}
		if len(got) != 1 || !reflect.DeepEqual(normal(got[0]), normal(c.want)) {
			t.Errorf("%s:\ngot  %v\nwant %v", name, got, c.want)
		}
	}
}

// normal is what is on the wire, so that nil and empty are equal.
func normal(p rtcp.Packet) string {
	b, err := p.Marshal()
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestSenderReportOfAMutedStream(t *testing.T) {
	tr := spoken(t)
	tr.SetOn(0, Video, false)
	got := translate(t, tr, 0, &rtcp.SenderReport{SSRC: aliceVideo, Reports: []rtcp.ReceptionReport{{SSRC: toAliceVideo, FractionLost: 3, LastSequenceNumber: 5}}})
	if len(got) != 1 {
		t.Fatalf("got %v", got)
	}
	rr, ok := got[0].(*rtcp.ReceiverReport)
	if !ok || rr.SSRC != toBobVideo || len(rr.Reports) != 1 || rr.Reports[0].SSRC != bobVideo || rr.Reports[0].FractionLost != 3 {
		t.Errorf("got %v, want what it says about bob and nothing about the muted stream", got)
	}
}

// What reports say is kept for the operator.
func TestReportsAreLearnt(t *testing.T) {
	tr := spoken(t)
	raw := func(p rtcp.Packet) []byte {
		b, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tr.RTCP(0, raw(&rtcp.SenderReport{SSRC: aliceVideo, NTPTime: 0x0000_1234_5678_0000}), nil, time.Second)
	tr.RTCP(1, raw(&rtcp.ReceiverReport{SSRC: bobVideo, Reports: []rtcp.ReceptionReport{{
		SSRC: toBobVideo, TotalLost: 3, LastSequenceNumber: 120, LastSenderReport: 0x1234_5678, Delay: 1 << 15, // half a second
	}}}), nil, time.Second+540*time.Millisecond)
	if c := tr.Counts(0); c.RTT != 40*time.Millisecond || c.Lost != 3 || c.Packets != 22 {
		t.Errorf("got %+v", c)
	}
}

// A NACK after a mute, or about an earlier source, must not name packets that are something else now.
func TestNackAcrossAMute(t *testing.T) {
	tr := spoken(t)
	tr.SetOn(0, Video, false)
	tr.RTP(0, make1(t, 96, aliceVideo, 500, 9000, key), tick)
	tr.SetOn(0, Video, true)
	b := make1(t, 96, aliceVideo, 501, 9000, key)
	if v, _ := tr.RTP(0, b, tick); v != Forward || read(t, b).SequenceNumber != 121 {
		t.Fatalf("%v", v)
	}
	got := translate(t, tr, 1, &rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: toBobVideo, Nacks: []rtcp.NackPair{{PacketID: 120}, {PacketID: 121}}})
	want := []rtcp.NackPair{{PacketID: 120}, {PacketID: 501}}
	if len(got) != 1 || !reflect.DeepEqual(got[0].(*rtcp.TransportLayerNack).Nacks, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	next := alice(9)
	next.Streams[Video].Source = 0xaaaa
	tr.SetLeg(0, next)
	tr.RTP(0, make1(t, 96, 0xaaaa, 7, 9000, key), tick)
	got = translate(t, tr, 1, &rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: toBobVideo, Nacks: []rtcp.NackPair{{PacketID: 121}, {PacketID: 122}}})
	want = []rtcp.NackPair{{PacketID: 7}}
	if len(got) != 1 || !reflect.DeepEqual(got[0].(*rtcp.TransportLayerNack).Nacks, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// report is bob's transport-wide report about alice's numbers from base on: how long after the last one each came, or -1.
func report(base uint16, after ...time.Duration) *rtcp.TransportLayerCC {
	r := &rtcp.TransportLayerCC{SenderSSRC: bobVideo, MediaSSRC: toBobVideo, BaseSequenceNumber: base, PacketStatusCount: uint16(len(after)), ReferenceTime: 3, FbPktCount: 4}
	r.Header = rtcp.Header{Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback}
	for len(after) > 0 {
		c := &rtcp.StatusVectorChunk{Type: rtcp.TypeTCCStatusVectorChunk, SymbolSize: rtcp.TypeTCCSymbolSizeTwoBit}
		for range min(7, len(after)) {
			switch d := after[0]; {
			case d < 0:
				c.SymbolList = append(c.SymbolList, rtcp.TypeTCCPacketNotReceived)
			case d < 60*time.Millisecond:
				c.SymbolList = append(c.SymbolList, rtcp.TypeTCCPacketReceivedSmallDelta)
				r.RecvDeltas = append(r.RecvDeltas, &rtcp.RecvDelta{Type: rtcp.TypeTCCPacketReceivedSmallDelta, Delta: d.Microseconds()})
			default:
				c.SymbolList = append(c.SymbolList, rtcp.TypeTCCPacketReceivedLargeDelta)
				r.RecvDeltas = append(r.RecvDeltas, &rtcp.RecvDelta{Type: rtcp.TypeTCCPacketReceivedLargeDelta, Delta: d.Microseconds()})
			}
			after = after[1:]
		}
		for len(c.SymbolList) < 7 {
			c.SymbolList = append(c.SymbolList, rtcp.TypeTCCPacketNotReceived)
		}
		r.PacketChunks = append(r.PacketChunks, c)
	}
	size := 20 + 2*len(r.PacketChunks)
	for _, d := range r.RecvDeltas {
		size += int(d.Type)
	}
	r.Header.Padding = size%4 != 0
	r.Header.Length = uint16((size+3)/4 - 1)
	return r
}

// arrivals is what a report says: when each number came, -1 for never.
func arrivals(t *testing.T, r *rtcp.TransportLayerCC) map[uint16]time.Duration {
	t.Helper()
	statuses := []uint16{}
	for _, c := range r.PacketChunks {
		switch c := c.(type) {
		case *rtcp.RunLengthChunk:
			for range c.RunLength {
				statuses = append(statuses, c.PacketStatusSymbol)
			}
		case *rtcp.StatusVectorChunk:
			statuses = append(statuses, c.SymbolList...)
		}
	}
	m, at, deltas := map[uint16]time.Duration{}, time.Duration(0), r.RecvDeltas
	for i := range r.PacketStatusCount {
		if m[r.BaseSequenceNumber+i] = -1; statuses[i] != rtcp.TypeTCCPacketNotReceived {
			at += time.Duration(deltas[0].Delta) * time.Microsecond
			deltas = deltas[1:]
			m[r.BaseSequenceNumber+i] = at
		}
	}
	return m
}

func TestTransportFeedback(t *testing.T) {
	tr := spoken(t) // transport numbers 100 to 120
	const ms = time.Millisecond
	got := translate(t, tr, 1, report(100, ms, -1, 2*ms, 100*ms))
	if len(got) != 1 {
		t.Fatalf("got %v", got)
	}
	r := got[0].(*rtcp.TransportLayerCC)
	want := map[uint16]time.Duration{100: ms, 101: -1, 102: 3 * ms, 103: 103 * ms}
	if r.MediaSSRC != aliceVideo || r.ReferenceTime != 3 || r.FbPktCount != 4 || !reflect.DeepEqual(arrivals(t, r), want) {
		t.Errorf("got %v %v, want %v", r, arrivals(t, r), want)
	}

	// What the relay held back is not lost; what the path lost is.
	tr.SetOn(0, Video, false)
	for seq := uint16(121); seq <= 140; seq++ {
		if v, _ := tr.RTP(0, make1(t, 96, aliceVideo, seq, 9000, key, ext{3, string([]byte{0, byte(seq)})}), tick); v != Muted {
			t.Fatal(v)
		}
	}
	for seq := uint16(141); seq <= 143; seq++ {
		tr.RTP(0, make1(t, 111, aliceAudio, seq, 9000, key, ext{3, string([]byte{0, byte(seq)})}), tick)
	}
	after := []time.Duration{5 * ms, -1}
	want = map[uint16]time.Duration{119: 5 * ms, 120: -1, 141: 7 * ms, 142: -1, 143: 87 * ms}
	for seq := uint16(121); seq <= 140; seq++ {
		after, want[seq] = append(after, -1), 5*ms
	}
	got = translate(t, tr, 1, report(119, append(after, 2*ms, -1, 80*ms)...))
	if len(got) != 1 || !reflect.DeepEqual(arrivals(t, got[0].(*rtcp.TransportLayerCC)), want) {
		t.Errorf("got %v, want %v", got, want)
	}

	// Another source counts from anywhere: bob's count goes on, hers comes back.
	next := alice(9)
	next.Streams[Video].Source = 0xaaaa
	tr.SetLeg(0, next)
	tr.SetOn(0, Video, true)
	b := make1(t, 96, 0xaaaa, 7, 9000, key, ext{3, "\xf0\x00"})
	if v, _ := tr.RTP(0, b, tick); v != Forward {
		t.Fatal(v)
	}
	p := read(t, b)
	if n := binary.BigEndian.Uint16(p.GetExtension(8)); n != 144 {
		t.Errorf("bob sees transport number %d, want 144", n)
	}
	got = translate(t, tr, 1, report(144, ms))
	if len(got) != 1 || got[0].(*rtcp.TransportLayerCC).BaseSequenceNumber != 0xf000 {
		t.Errorf("got %v, want a report about 0xf000", got)
	}
}

func FuzzRTCP(f *testing.F) {
	for _, p := range []rtcp.Packet{
		&rtcp.SenderReport{SSRC: aliceVideo, Reports: []rtcp.ReceptionReport{{SSRC: toAliceVideo}}},
		&rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: toBobVideo, LastSequenceNumber: 110}}},
		&rtcp.TransportLayerNack{MediaSSRC: toBobVideo, Nacks: []rtcp.NackPair{{PacketID: 107, LostPackets: 3}}},
		&rtcp.FullIntraRequest{FIR: []rtcp.FIREntry{{SSRC: toBobVideo}}},
		&rtcp.ReceiverEstimatedMaximumBitrate{SSRCs: []uint32{toBobVideo}, Bitrate: 1000},
		&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{Source: aliceVideo, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "abc"}}}}},
		report(100, 0, -1, time.Second),
	} {
		b, err := p.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, false)
		f.Add(append(b, b...), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, fromAlice bool) {
		spin.Watch(t)
		from := Side(1)
		if fromAlice {
			from = 0
		}
		tr := spoken(t)
		tr.SetOn(0, Video, false)
		tr.RTP(0, make1(t, 96, aliceVideo, 121, 9000, key, ext{3, "\x00y"}), tick)
		in := bytes.Clone(b)
		out := tr.RTCP(from, b, nil, tick)
		if !bytes.Equal(b, in) {
			t.Error("the input was changed")
		}
		if len(out) > 2*len(in)+64+maxStatuses*2 {
			t.Errorf("%d bytes became %d", len(in), len(out))
		}
		for len(out) > 0 { // whole packets, and nothing else
			if len(out) < 8 || out[0]>>6 != 2 {
				t.Fatalf("%x", out)
			}
			n := 4 * (int(binary.BigEndian.Uint16(out[2:])) + 1)
			if n > len(out) {
				t.Fatalf("%x", out)
			}
			out = out[n:]
		}
	})
}

func FuzzStatuses(f *testing.F) {
	f.Add([]byte{0xc0, 0x00, 0x20, 0x07, 1, 2, 3, 4, 5, 6, 7}, uint16(14))
	f.Add([]byte{0xbf, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, uint16(9))
	f.Fuzz(func(t *testing.T, b []byte, count uint16) {
		spin.Watch(t)
		count %= maxStatuses
		s, deltas, ok := readStatuses(nil, b, int(count))
		if !ok {
			return
		}
		packed := append(appendStatuses(nil, s), deltas...)
		again, rest, ok := readStatuses(nil, packed, int(count))
		if !ok || !bytes.Equal(again, s) || !bytes.Equal(rest, deltas) {
			t.Errorf("%v, %x became %v, %x", s, deltas, again, rest)
		}
	})
}
