package plane

// One stream in one direction: its identifiers on both legs, its numbers and its state.

import (
	"encoding/binary"
	"time"
)

// flow is one stream in one direction.
type flow struct {
	in, out *Stream

	pt  [128]uint8 // theirs to ours, plus 1; 0 is none
	rtx [128]bool
	fam [128]uint8
	clk [128]uint32
	ext [256]uint8
	// The sender's ids of the extensions whose values change.
	mid, twcc uint8

	source, sourceRTX uint32
	sourceGen         uint32 // counts the sources: one that comes back is another
	media, rtxSeqs    seqMap
	begun             bool // the current source has sent something that went on
	open              bool // not muted, and past its key frame
	damaged           bool // a packet was over the limit since a key frame was asked for
	waitUntil         time.Duration
	askedAt           time.Duration
	lastPacketAt      time.Duration // last packet of the current source
	tsDelta           uint32
	lastTS            uint32
	sentAt            time.Duration
	packets, octets   uint32 // sent on under Out, for sender reports

	// What the receiver reports.
	reports [4]sentReport // the sender's reports that went on last
	lost    int32
	rtt     time.Duration
}

// take makes another SSRC the stream's source.
func (f *flow) take(source, rtx uint32) {
	f.stop()
	f.source, f.sourceRTX, f.begun = source, rtx, false
	f.sourceGen++
}

// stop closes the stream: the next packet begins a new run of numbers, and a picture.
func (f *flow) stop() {
	f.media.close()
	f.rtxSeqs.close()
	f.open, f.waitUntil = false, 0
}

// begins decides whether a closed stream opens with this packet.
func (t *Translator) begins(from Side, k Kind, f *flow, p packet, now time.Duration) bool {
	key, known := keyFrame(int(f.fam[p.payloadType()]), p.b[p.payload:p.end])
	if key || !known && k == Audio {
		return true
	}
	if f.waitUntil == 0 {
		f.waitUntil = now + keyFrameTimeout
		t.wanted[from][k] = now-f.askedAt > pliInterval || f.askedAt == 0 || t.wanted[from][k]
	} else if now-f.askedAt > pliInterval {
		t.wanted[from][k] = true
	}
	return now > f.waitUntil
}

// retransmission translates a retransmission (RFC 4588), or the padding that browsers send under the same SSRC.
func (t *Translator) retransmission(from Side, f *flow, p packet, pt uint8) Result {
	if !f.open || f.out.OutRTX == 0 {
		return Waiting
	}
	if p.end-p.payload >= 2 {
		osn, ok := f.media.lookup(binary.BigEndian.Uint16(p.b[p.payload:]))
		if !ok {
			return Stale
		}
		binary.BigEndian.PutUint16(p.b[p.payload:], osn)
	}
	seq, ok := f.rtxSeqs.mapNext(p.sequence(), f.sourceGen)
	if !ok {
		return Stale
	}
	t.rewrite(from, f, p, pt, seq, f.out.OutRTX)
	return Forward
}

// rewrite writes the receiver's identifiers into a packet.
func (t *Translator) rewrite(from Side, f *flow, p packet, pt uint8, seq uint16, ssrc uint32) {
	if f.fam[p.payloadType()] == RED {
		f.rewriteRED(p.b[p.payload:p.end])
	}
	p.setPayloadType(pt)
	p.setSequence(seq)
	p.setTimestamp(p.timestamp() + f.tsDelta)
	p.setSSRC(ssrc)
	p.extensions(func(id uint8, value []byte) uint8 {
		if id == f.mid && f.mid != 0 {
			if len(value) != len(f.out.Mid) {
				return 0 // the SSRC says it as well
			}
			copy(value, f.out.Mid)
		}
		if id == f.twcc && f.twcc != 0 && len(value) == 2 {
			tr := &t.twccMaps[from]
			binary.BigEndian.PutUint16(value, tr.mapSeq(binary.BigEndian.Uint16(value), true))
		}
		return f.ext[id]
	})
}

// rewriteRED maps the payload types of the blocks (RFC 2198, section 3).
func (f *flow) rewriteRED(b []byte) {
	for at := 0; at < min(len(b), 4*maxElements); at += 4 {
		if out := f.pt[b[at]&0x7f]; out != 0 {
			b[at] = b[at]&0x80 | (out - 1)
		}
		if b[at]&0x80 == 0 {
			return
		}
	}
}

// hasMid reports whether a packet's mid, if it has one, is this stream's.
func (f *flow) hasMid(p packet) bool {
	same := true
	if f.mid != 0 {
		p.extensions(func(id uint8, value []byte) uint8 {
			if id == f.mid {
				same = string(value) == f.in.Mid
			}
			return id
		})
	}
	return same
}

// sentReport is when a sender report with these middle bits of its NTP time went on.
type sentReport struct {
	ntp uint32
	at  time.Duration
}

// learn reads what the receiver says in a report block (RFC 3550, section 6.4.1): loss over the whole path, and the
// round-trip time between it and the relay.
func (f *flow) learn(block []byte, now time.Duration) {
	f.lost = int32(binary.BigEndian.Uint32(block[4:])<<8) >> 8 // 24 bits with a sign
	lsr, delay := binary.BigEndian.Uint32(block[16:]), binary.BigEndian.Uint32(block[20:])
	for _, r := range f.reports {
		if lsr != 0 && r.ntp == lsr {
			if rtt := now - r.at - time.Duration(uint64(delay)*uint64(time.Second)>>16); rtt > 0 {
				f.rtt = rtt
			}
		}
	}
}
