package relay

// This file makes and reads packets: RTP as Chromium shapes it, and the RTCP that it sends beside.

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"duet/internal/bench"
)

const (
	stampSize = 20
	magic     = 0xd0e7be7c
	// Chromium sends reports about once a second for video and every five for audio, and transport-wide feedback every
	// 50 to 100 ms at this rate.
	reportEvery   = time.Second
	feedbackEvery = 50 * time.Millisecond
	// packetsPerFrame makes about 31 frames of the 125 packets a second.
	packetsPerFrame = 4
)

// newFlow prepares the packets of one stream: header, extensions, and a payload that a relay may look into.
func newFlow(p *peer, k int, bytes int) *flow {
	f := &flow{from: p, kind: k, media: p.media[k]}
	b := make([]byte, 12, 64+bytes)
	b[0], b[1] = 0x80, f.media.pt
	binary.BigEndian.PutUint32(b[8:], f.media.ssrc)
	var ext []byte
	if id := f.media.exts[uriTWCC]; id != 0 {
		ext = append(ext, id<<4|1, 0, 0)
	}
	if id := f.media.exts[uriTime]; id != 0 {
		ext = append(ext, id<<4|2, 0, 0, 0)
	}
	if id := f.media.exts[uriMid]; id != 0 {
		ext = append(ext, id<<4|byte(len(f.media.mid)-1))
		ext = append(ext, f.media.mid...)
	}
	for len(ext)%4 != 0 {
		ext = append(ext, 0)
	}
	if len(ext) > 0 {
		b[0] |= 0x10
		b = append(b, 0xbe, 0xde, 0, byte(len(ext)/4))
		b = append(b, ext...)
	}
	payload := make([]byte, bytes)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	if k == 1 { // the VP8 descriptor with a long picture id (RFC 7741), then the frame's header
		copy(payload, []byte{0x90, 0x80, 0x80, 0, 0x00, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01})
	}
	f.plain = append(b, payload...)
	f.seq = uint16(f.media.ssrc >> 8)
	f.ts = f.media.ssrc
	return f
}

// next fills in the packet of now.
func (f *flow) next(number uint32, now time.Time) []byte {
	f.n++
	f.seq++
	b := f.plain
	last := true
	if f.kind == 0 {
		f.ts += 960
	} else {
		i := f.n % packetsPerFrame
		last = i == 0
		payload := b[len(b)-f.payload():]
		if i == 1 {
			f.ts += 90_000 * packetsPerFrame / 125
			payload[0] |= 0x10 // the frame's first
			binary.BigEndian.PutUint16(payload[2:], 0x8000|uint16(f.n/packetsPerFrame)&0x7fff)
			payload[4] = 0
			if f.n > packetsPerFrame {
				payload[4] = 1 // only the first one is a key frame
			}
		} else {
			payload[0] &^= 0x10
		}
	}
	b[1] = f.media.pt
	if last && f.kind == 1 {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], f.seq)
	binary.BigEndian.PutUint32(b[4:], f.ts)
	at := 16
	if f.media.exts[uriTWCC] != 0 {
		binary.BigEndian.PutUint16(b[at+1:], f.from.twccSeq)
		f.from.twccSeq++
		at += 3
	}
	if f.media.exts[uriTime] != 0 {
		t := uint64(now.UnixNano()) % 64e9 * (1 << 18) / 1e9
		b[at+1], b[at+2], b[at+3] = byte(t>>16), byte(t>>8), byte(t)
	}
	stamp := b[len(b)-stampSize:]
	binary.BigEndian.PutUint32(stamp, magic)
	binary.BigEndian.PutUint32(stamp[4:], number)
	binary.BigEndian.PutUint32(stamp[8:], f.n)
	binary.BigEndian.PutUint64(stamp[12:], uint64(now.UnixNano()))
	f.octet += uint32(f.payload())
	return b
}

func (f *flow) payload() int { return bench.Call()[f.kind].Bytes }

func readStamp(b []byte) (flow, n uint32, sent int64, ok bool) {
	if len(b) < stampSize {
		return 0, 0, 0, false
	}
	b = b[len(b)-stampSize:]
	return binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]), int64(binary.BigEndian.Uint64(b[12:])), binary.BigEndian.Uint32(b) == magic
}

// heard keeps the account of an incoming stream, for reports and feedback.
func (p *peer) heard(h *rtp.Header, at int64) {
	var f *feed
	for _, g := range p.feeds {
		if g.ssrc == h.SSRC {
			f = g
		}
	}
	if f == nil {
		f = &feed{ssrc: h.SSRC, first: uint32(h.SequenceNumber), highest: uint32(h.SequenceNumber)}
		p.feeds = append(p.feeds, f)
	}
	f.n++
	if d := int16(h.SequenceNumber - uint16(f.highest)); d > 0 {
		f.highest += uint32(d)
	}
	if p.twccID != 0 {
		if ext := h.GetExtension(p.twccID); len(ext) == 2 {
			p.twcc.Record(h.SSRC, binary.BigEndian.Uint16(ext), at/1000)
		}
	}
}

func ntp(t time.Time) uint64 {
	sec := uint64(t.Unix()) + 2208988800
	return sec<<32 | uint64(t.Nanosecond())<<32/1e9
}

// reports are a sender report for each stream sent, with a reception report for what is heard.
func (p *peer) reports(now time.Time) []rtcp.Packet {
	var out []rtcp.Packet
	for k, f := range p.flows {
		sr := &rtcp.SenderReport{SSRC: f.media.ssrc, NTPTime: ntp(now), RTPTime: f.ts, PacketCount: f.n, OctetCount: f.octet}
		if k < len(p.feeds) {
			g := p.feeds[k]
			rr := rtcp.ReceptionReport{SSRC: g.ssrc, LastSequenceNumber: g.highest, LastSenderReport: g.lastSR, Jitter: 20}
			if !g.srAt.IsZero() {
				rr.Delay = uint32(now.Sub(g.srAt).Seconds() * 65536)
			}
			if lost := int64(g.highest-g.first) + 1 - int64(g.n); lost > 0 {
				rr.TotalLost = uint32(lost)
			}
			sr.Reports = []rtcp.ReceptionReport{rr}
		}
		out = append(out, sr)
	}
	return append(out, &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
		Source: p.flows[0].media.ssrc, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "bench"}},
	}}})
}

// hear takes RTCP: when a sender report came is part of the next report.
func (p *peer) hear(b []byte, now time.Time) {
	for len(b) >= 8 {
		n := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1)
		if n > len(b) {
			return
		}
		if b[1] == 200 && n >= 20 {
			for _, g := range p.feeds {
				if g.ssrc == binary.BigEndian.Uint32(b[4:]) {
					g.lastSR, g.srAt = binary.BigEndian.Uint32(b[10:]), now
				}
			}
		}
		b = b[n:]
	}
}
