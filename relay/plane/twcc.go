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
		ring(t.suppressed[:]).clear(uint64(t.newest+1), int(ahead))
		t.newest = n
	} else if ahead <= -suppressedWindow {
		return n
	}
	if !forwarded {
		ring(t.suppressed[:]).add(uint64(n))
	}
	return n
}

// isSuppressed reports whether the relay held back number n of the receiver's count.
func (t *twccMap) isSuppressed(n uint16) bool {
	behind := t.newest - n
	return behind < suppressedWindow && ring(t.suppressed[:]).has(uint64(n))
}

// suppressedAny reports whether it held back one of count numbers, from base on.
func (t *twccMap) suppressedAny(base uint16, count int) bool {
	behind := int(int16(t.newest - base))
	first, end := max(0, behind-suppressedWindow+1), min(count, behind+1)
	return first < end && ring(t.suppressed[:]).any(uint64(base)+uint64(first), end-first)
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
	tr := &t.twccMaps[t.across(from)]
	var source uint32
	if f, rtx := t.receivedStream(from, binary.BigEndian.Uint32(b[8:])); f != nil && !rtx {
		source = f.source
	}
	for _, f := range t.flows[t.across(from)] {
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
	if !t.spend(count/32) || !tr.suppressedAny(base, count) || !t.spend(count) { // a report this long is about an outage, and so are the holes in it
		dst = append(dst, b[20:]...)
		return pad(dst, at)
	}
	statuses, deltas, ok := readStatuses(t.statuses[:0], b[20:], count)
	t.statuses = statuses
	if !ok {
		return dst[:at]
	}
	filled := append(t.filled[:0], statuses...)
	t.filled = filled
	for i, s := range statuses {
		if s == notReceived && tr.isSuppressed(base+uint16(i)) {
			filled[i] = smallDelta
		}
	}
	dst = appendStatuses(dst, filled)
	n := 0 // bytes of deltas that are still to be copied
	for i, s := range statuses {
		if filled[i] == s {
			n += int(s)
			continue
		}
		dst = append(append(dst, deltas[:n]...), 0) // at the same time as the packet before it
		deltas, n = deltas[n:], 0
	}
	dst = append(dst, deltas[:n]...)
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
		switch left := count - len(into); {
		case chunk&0x8000 == 0: // run length
			n, symbol := int(chunk&0x1fff), uint8(chunk>>13&3)
			if n == 0 || symbol > largeDelta {
				return into, nil, false
			}
			for range min(n, left) {
				into = append(into, symbol)
			}
		case chunk&0x4000 == 0: // fourteen symbols of one bit
			for i := range min(14, left) {
				into = append(into, uint8(chunk>>(13-i)&1))
			}
		default: // seven of two
			for i := range min(7, left) {
				symbol := uint8(chunk >> (12 - 2*i) & 3)
				if symbol > largeDelta {
					return into, nil, false
				}
				into = append(into, symbol)
			}
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
