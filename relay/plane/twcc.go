package plane

// Transport-wide congestion control: one count over all streams of a leg, and feedback about every number of it.

import "encoding/binary"

const (
	transportURI = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
	fmtTransport = 15

	// suppressedWindow is how many numbers back a report may look; at 1,000 packets a second it is four seconds.
	suppressedWindow = 4096
	// maxStatuses bounds a report: more packets than this between two reports (50 to 250 ms) is no honest one.
	maxStatuses = 4096
)

// twccMap maps one sender's transport-wide numbers to those that the other leg sees. The two run in parallel, so that a
// number that the relay held back leaves a hole; reports say that it arrived, since it was not the path that lost it.
type twccMap struct {
	used, resyncing bool
	delta, newest   uint16 // newest as the receiver counts
	suppressed      [suppressedWindow / 64]uint64
}

// resync is called when another association sends: its numbers start anywhere, the receiver's go on.
func (t *twccMap) resync() { t.resyncing = true }

// mapSeq maps a number and notes whether its packet goes on.
func (t *twccMap) mapSeq(n uint16, forwarded bool) uint16 {
	if !t.used || t.resyncing {
		if t.used {
			t.delta = t.newest + 1 - n
		}
		t.used, t.resyncing = true, false
		t.newest = n + t.delta - 1
	}
	n += t.delta
	if ahead := int16(n - t.newest); ahead > 0 {
		for i := t.newest + 1; i != n+1; i++ {
			t.suppressed[i%suppressedWindow/64] &^= 1 << (i % 64)
		}
		t.newest = n
	} else if ahead <= -suppressedWindow {
		return n
	}
	if !forwarded {
		t.suppressed[n%suppressedWindow/64] |= 1 << (n % 64)
	}
	return n
}

// isSuppressed reports whether the relay held back number n of the receiver's count.
func (t *twccMap) isSuppressed(n uint16) bool {
	behind := t.newest - n
	return behind < suppressedWindow && t.suppressed[n%suppressedWindow/64]&(1<<(n%64)) != 0
}

// Packet statuses of a report.
const (
	notReceived = iota
	smallDelta  // one byte
	largeDelta  // two
)

// transportFeedback maps a report (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1).
func (t *Translator) transportFeedback(from Side, b, dst []byte) []byte {
	if len(b) < 20 {
		return dst
	}
	tr := &t.twccMaps[from.Other()]
	var source uint32
	if f, rtx := t.receivedStream(from, binary.BigEndian.Uint32(b[8:])); f != nil && !rtx {
		source = f.source
	}
	for _, f := range t.flows[from.Other()] {
		if source == 0 && f != nil {
			source = f.source
		}
	}
	base, count := binary.BigEndian.Uint16(b[12:]), int(binary.BigEndian.Uint16(b[14:]))
	if source == 0 || count == 0 || count > maxStatuses || !tr.used {
		return dst
	}
	dst, at := header(dst, fmtTransport, typeRTPFB)
	dst = binary.BigEndian.AppendUint32(dst, t.senderSSRC(from, binary.BigEndian.Uint32(b[4:])))
	dst = binary.BigEndian.AppendUint32(dst, source)
	dst = binary.BigEndian.AppendUint16(dst, base-tr.delta)
	dst = append(dst, b[14:20]...)
	held := false
	for i := range count {
		held = held || tr.isSuppressed(base+uint16(i))
	}
	if !held {
		dst = append(dst, b[20:]...)
		return pad(dst, at)
	}
	statuses, deltas, ok := readStatuses(t.statuses[:0], b[20:], count)
	t.statuses = statuses
	if !ok {
		return dst[:at]
	}
	fill := func(i int) bool { return statuses[i] == notReceived && tr.isSuppressed(base+uint16(i)) }
	filled := t.filled[:0]
	for i, s := range statuses {
		if fill(i) {
			s = smallDelta
		}
		filled = append(filled, s)
	}
	t.filled = filled
	dst = appendStatuses(dst, filled)
	for i, s := range statuses {
		if fill(i) {
			dst = append(dst, 0) // at the same time as the packet before it
			continue
		}
		dst, deltas = append(dst, deltas[:s]...), deltas[s:]
	}
	return pad(dst, at)
}

// pad fills up to whole words and writes the length.
func pad(dst []byte, at int) []byte {
	if n := (len(dst) - at) % 4; n != 0 {
		dst[at] |= 0x20
		for i := n; i < 3; i++ {
			dst = append(dst, 0)
		}
		dst = append(dst, byte(4-n))
	}
	return seal(dst, at)
}

// readStatuses unpacks the chunks of a report and returns what follows them: exactly the deltas that the statuses ask for.
func readStatuses(into []uint8, b []byte, count int) (statuses []uint8, deltas []byte, ok bool) {
	for len(into) < count {
		if len(b) < 2 {
			return into, nil, false
		}
		chunk := binary.BigEndian.Uint16(b)
		b = b[2:]
		var n int
		var symbol func(int) uint8
		switch {
		case chunk&0x8000 == 0: // run length
			s := uint8(chunk >> 13 & 3)
			n, symbol = int(chunk&0x1fff), func(int) uint8 { return s }
		case chunk&0x4000 == 0: // fourteen symbols of one bit
			n, symbol = 14, func(i int) uint8 { return uint8(chunk >> (13 - i) & 1) }
		default: // seven of two
			n, symbol = 7, func(i int) uint8 { return uint8(chunk >> (12 - 2*i) & 3) }
		}
		if n == 0 {
			return into, nil, false
		}
		for i := 0; i < n && len(into) < count; i++ {
			if symbol(i) > largeDelta {
				return into, nil, false
			}
			into = append(into, symbol(i))
		}
	}
	need := 0
	for _, s := range into {
		need += int(s)
	}
	if need > len(b) {
		return into, nil, false
	}
	return into, b[:need], true
}

// appendStatuses packs statuses: runs where they are long enough to pay, else seven to a chunk.
func appendStatuses(dst []byte, s []uint8) []byte {
	for len(s) > 0 {
		run := 1
		for run < len(s) && run < 0x1fff && s[run] == s[0] {
			run++
		}
		if run >= 7 || run == len(s) {
			dst = binary.BigEndian.AppendUint16(dst, uint16(s[0])<<13|uint16(run))
			s = s[run:]
			continue
		}
		chunk := uint16(0xc000)
		n := min(7, len(s))
		for i := range n {
			chunk |= uint16(s[i]) << (12 - 2*i)
		}
		dst, s = binary.BigEndian.AppendUint16(dst, chunk), s[n:]
	}
	return dst
}
