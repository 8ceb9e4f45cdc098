package plane

// RTCP from one leg becomes RTCP for the other: identifiers change, meaning stays.

import (
	"encoding/binary"
	"time"
)

// RTCP packet types and feedback formats that pass.
const (
	typeSR    = 200
	typeRR    = 201
	typeSDES  = 202
	typeRTPFB = 205
	typePSFB  = 206

	fmtNACK = 1
	fmtPLI  = 1
	fmtFIR  = 4
	fmtREMB = 15
)

// RTCP translates a compound packet and appends the result to dst; nothing appended means nothing to send. What names a
// stream that the other leg does not know is left out; so are BYE (the numbering outlives a source) and whatever is not
// understood, for it would carry the wrong identifiers. What would take more than rtcpWork steps is left out.
func (t *Translator) RTCP(from Side, b, dst []byte, now time.Duration) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.buckets[from].take(len(b), now, reportCredit) {
		t.over[from][overReports].Store(int64(now + excessPause))
		t.counts[from].Dropped[Excess]++
		if t.totals != nil {
			t.totals.Results[Excess].Add(1)
		}
		return dst
	}
	if t.legs[from] == nil || t.legs[t.across(from)] == nil {
		return dst
	}
	t.work = rtcpWork
	for len(b) >= 8 && b[0]>>6 == 2 && t.spend(packetWork) {
		n := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1)
		if n < 8 || n > len(b) {
			return dst
		}
		one := b[:n]
		b = b[n:]
		if one[0]&0x20 != 0 {
			extra := int(one[n-1])
			if extra == 0 || extra > n-8 {
				return dst
			}
			one = one[:n-extra]
		}
		format := one[0] & 0x1f
		switch one[1] {
		case typeSR:
			dst = t.senderReport(from, one, dst, now)
		case typeRR:
			dst = t.receiverReport(from, one[8:], format, t.senderSSRC(from, binary.BigEndian.Uint32(one[4:])), dst, false, now)
		case typeSDES:
			dst = t.translateSDES(from, one, dst)
		case typeRTPFB:
			switch format {
			case fmtNACK:
				dst = t.nack(from, one, dst)
			case fmtTransport:
				dst = t.transportFeedback(from, one, dst)
			}
		case typePSFB:
			dst = t.payloadFeedback(from, one, format, dst)
		}
	}
	return dst
}

// AppendPLI appends a request of our own for a key frame, addressed to a source of leg to.
func (t *Translator) AppendPLI(to Side, source uint32, dst []byte) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.appendPLILocked(to, source, dst)
}

func (t *Translator) appendPLILocked(to Side, source uint32, dst []byte) []byte {
	dst = append(dst, 0x80|fmtPLI, typePSFB, 0, 2)
	dst = binary.BigEndian.AppendUint32(dst, t.senderSSRC(t.across(to), 0))
	return binary.BigEndian.AppendUint32(dst, source)
}

// sentStream finds the stream that leg from sends under ssrc.
func (t *Translator) sentStream(from Side, ssrc uint32) (f *flow, k Kind, rtx bool) {
	for k, f := range t.flows[from] {
		if f == nil || ssrc == 0 {
			continue
		}
		if f.source == ssrc {
			return f, Kind(k), false
		}
		if f.sourceRTX == ssrc {
			return f, Kind(k), true
		}
	}
	return nil, 0, false
}

// receivedStream finds the stream that leg from receives under ssrc: one of the other leg's.
func (t *Translator) receivedStream(from Side, ssrc uint32) (f *flow, rtx bool) {
	for _, f := range t.flows[t.across(from)] {
		if f == nil || ssrc == 0 {
			continue
		}
		if f.out.Out == ssrc {
			return f, false
		}
		if f.out.OutRTX == ssrc {
			return f, true
		}
	}
	return nil, false
}

// senderSSRC is the SSRC of packet sender (RFC 4585, section 6.1) by which the other leg knows leg from: the stream's, or any of
// its streams'.
func (t *Translator) senderSSRC(from Side, ssrc uint32) uint32 {
	if f, _, rtx := t.sentStream(from, ssrc); f != nil {
		if rtx {
			return f.out.OutRTX
		}
		return f.out.Out
	}
	for _, s := range t.legs[t.across(from)].Streams {
		if s != nil {
			return s.Out
		}
	}
	return 1
}

func header(dst []byte, count, kind uint8) ([]byte, int) {
	at := len(dst)
	return append(dst, 0x80|count, kind, 0, 0), at
}

// seal writes the length of the packet that began at at.
func seal(dst []byte, at int) []byte {
	binary.BigEndian.PutUint16(dst[at+2:], uint16((len(dst)-at)/4-1))
	return dst
}

// senderReport maps an SR (RFC 3550, 6.4.1). The wall clock stays the sender's: round-trip times are end to end.
func (t *Translator) senderReport(from Side, b, dst []byte, now time.Duration) []byte {
	if len(b) < 28 {
		return dst
	}
	ssrc, count := binary.BigEndian.Uint32(b[4:]), b[0]&0x1f
	f, k, rtx := t.sentStream(from, ssrc)
	if f == nil || rtx || !f.begun || !t.passes(from, k) {
		return t.receiverReport(from, b[28:], count, t.senderSSRC(from, ssrc), dst, false, now)
	}
	dst, at := header(dst, 0, typeSR)
	dst = binary.BigEndian.AppendUint32(dst, f.out.Out)
	dst = append(dst, b[8:16]...)
	copy(f.reports[1:], f.reports[:])
	f.reports[0] = sentReport{binary.BigEndian.Uint32(b[10:]), now}
	dst = binary.BigEndian.AppendUint32(dst, binary.BigEndian.Uint32(b[16:])+f.tsDelta)
	dst = binary.BigEndian.AppendUint32(dst, f.packets)
	dst = binary.BigEndian.AppendUint32(dst, f.octets)
	mark := len(dst)
	dst = t.receiverReport(from, b[28:], count, 0, dst, true, now)
	dst[at] |= byte((len(dst) - mark) / 24)
	return seal(dst, at)
}

// receiverReport maps report blocks (6.4.1): loss and jitter are the receiver's, the numbers become the source's own.
func (t *Translator) receiverReport(from Side, b []byte, count uint8, senderSSRC uint32, dst []byte, bare bool, now time.Duration) []byte {
	at := len(dst)
	if !bare {
		dst, at = header(dst, 0, typeRR)
		dst = binary.BigEndian.AppendUint32(dst, senderSSRC)
	}
	blocks := byte(0)
	for ; count > 0 && len(b) >= 24 && t.spend(blockWork); count, b = count-1, b[24:] {
		f, rtx := t.receivedStream(from, binary.BigEndian.Uint32(b))
		if f == nil {
			continue
		}
		if !rtx {
			f.learn(b, now)
		}
		n, source := &f.media, f.source
		if rtx {
			n, source = &f.rtxSeqs, f.sourceRTX
		}
		high, ok := n.unmap(uint16(binary.BigEndian.Uint32(b[8:])), f.sourceGen)
		if !ok {
			continue
		}
		dst = binary.BigEndian.AppendUint32(dst, source)
		dst = append(dst, b[4:8]...)
		dst = binary.BigEndian.AppendUint32(dst, uint32(high))
		dst = append(dst, b[12:24]...)
		blocks++
	}
	if bare {
		return dst
	}
	dst[at] |= blocks
	return seal(dst, at)
}

// translateSDES maps an SDES packet (6.5): only canonical names pass.
func (t *Translator) translateSDES(from Side, b, dst []byte) []byte {
	dst, at := header(dst, 0, typeSDES)
	chunks := byte(0)
	for body, count := b[4:], b[0]&0x1f; count > 0 && len(body) >= 8 && t.spend(blockWork); count-- {
		ssrc := binary.BigEndian.Uint32(body)
		var name []byte
		i := 4
		for i+1 < len(body) && body[i] != 0 {
			n := int(body[i+1])
			if i+2+n > len(body) {
				return dst[:at]
			}
			if body[i] == 1 {
				name = body[i+2 : i+2+n]
			}
			i += 2 + n
		}
		if f, _, rtx := t.sentStream(from, ssrc); f != nil && name != nil {
			out := f.out.Out
			if rtx {
				out = f.out.OutRTX
			}
			dst = binary.BigEndian.AppendUint32(dst, out)
			dst = append(append(dst, 1, byte(len(name))), name...)
			dst = append(dst, 0)
			for (len(dst)-at)%4 != 0 {
				dst = append(dst, 0)
			}
			chunks++
		}
		next := (i + 4) &^ 3
		if next > len(body) {
			break
		}
		body = body[next:]
	}
	if chunks == 0 {
		return dst[:at]
	}
	dst[at] |= chunks
	return seal(dst, at)
}

// nack maps a generic NACK (RFC 4585, 6.2.1).
func (t *Translator) nack(from Side, b, dst []byte) []byte {
	if len(b) < 16 {
		return dst
	}
	f, rtx := t.receivedStream(from, binary.BigEndian.Uint32(b[8:]))
	if f == nil || rtx {
		return dst
	}
	dst, at := header(dst, fmtNACK, typeRTPFB)
	dst = binary.BigEndian.AppendUint32(dst, t.senderSSRC(from, binary.BigEndian.Uint32(b[4:])))
	dst = binary.BigEndian.AppendUint32(dst, f.source)
	some := false
	for i := 12; i+4 <= len(b) && t.spend(1); i += 4 {
		if in, ok := f.media.unmap(binary.BigEndian.Uint16(b[i:]), f.sourceGen); ok {
			dst = binary.BigEndian.AppendUint16(dst, uint16(in))
			dst = append(dst, b[i+2:i+4]...)
			some = true
		}
	}
	if !some {
		return dst[:at]
	}
	return seal(dst, at)
}

// payloadFeedback maps PLI, FIR (RFC 5104, 4.3.1) and REMB (draft-alvestrand-rmcat-remb).
func (t *Translator) payloadFeedback(from Side, b []byte, format uint8, dst []byte) []byte {
	if len(b) < 12 {
		return dst
	}
	senderSSRC := t.senderSSRC(from, binary.BigEndian.Uint32(b[4:]))
	switch {
	case format == fmtPLI:
		f, _ := t.receivedStream(from, binary.BigEndian.Uint32(b[8:]))
		if f == nil || f.source == 0 {
			return dst
		}
		dst = append(dst, 0x80|fmtPLI, typePSFB, 0, 2)
		dst = binary.BigEndian.AppendUint32(dst, senderSSRC)
		return binary.BigEndian.AppendUint32(dst, f.source)
	case format == fmtFIR:
		dst, at := header(dst, fmtFIR, typePSFB)
		dst = binary.BigEndian.AppendUint32(dst, senderSSRC)
		dst = binary.BigEndian.AppendUint32(dst, 0)
		some := false
		for i := 12; i+8 <= len(b) && t.spend(1); i += 8 {
			if f, _ := t.receivedStream(from, binary.BigEndian.Uint32(b[i:])); f != nil && f.source != 0 {
				dst = binary.BigEndian.AppendUint32(dst, f.source)
				dst = append(dst, b[i+4], 0, 0, 0)
				some = true
			}
		}
		if !some {
			return dst[:at]
		}
		return seal(dst, at)
	case format == fmtREMB && len(b) >= 20 && string(b[12:16]) == "REMB":
		dst, at := header(dst, fmtREMB, typePSFB)
		dst = binary.BigEndian.AppendUint32(dst, senderSSRC)
		dst = binary.BigEndian.AppendUint32(dst, 0)
		dst = append(dst, b[12:20]...)
		count := byte(0)
		for i := 20; i+4 <= len(b) && count < b[16] && t.spend(1); i += 4 {
			f, rtx := t.receivedStream(from, binary.BigEndian.Uint32(b[i:]))
			if f == nil {
				continue
			}
			source := f.source
			if rtx {
				source = f.sourceRTX
			}
			if source != 0 {
				dst = binary.BigEndian.AppendUint32(dst, source)
				count++
			}
		}
		if count == 0 {
			return dst[:at]
		}
		dst[at+16] = count
		return seal(dst, at)
	}
	return dst
}
