package plane

// The numbers of one outgoing SSRC: continuous over mutes and sources, and never used twice.

const (
	window   = 512 // how far behind the newest number a late packet may come
	sections = 8   // how many earlier mappings feedback can still refer to
)

// section maps a run of a source's numbers to ours: ours = theirs + delta, from start on.
type section struct {
	start int64  // our first extended number of the run
	in    int64  // the source's, at the same place
	end   int64  // our last number of the run; only of closed ones
	id    uint32 // the source it belongs to
}

// seqMap gives out the sequence numbers of one outgoing SSRC. Extended numbers (RFC 3711's index) are int64.
type seqMap struct {
	used    bool  // anything ever sent
	open    bool  // the current section accepts packets
	newest  int64 // our newest number
	in      int64 // the source's newest number, dropped ones included
	floor   int64 // the source's newest number when the last section was closed
	current section
	past    [sections]section
	pasts   int
	seen    [window / 64]uint64 // which of the last numbers went out, by number modulo window
}

// unwrap finds the extended number nearest to near whose low 16 bits are seq.
func unwrap(seq uint16, near int64) int64 {
	return near + int64(int16(seq-uint16(near)))
}

// close ends the current section: the next packet begins a new one directly after the newest number.
func (n *seqMap) close() {
	if !n.open {
		return
	}
	n.open = false
	n.floor = n.in
	n.current.end = n.newest
	copy(n.past[1:], n.past[:sections-1])
	n.past[0] = n.current
	n.pasts = min(n.pasts+1, sections)
}

// mapNext maps a source's sequence number to ours. It reports false for a number that was given out before, that is too
// old, or that lies before the current section's beginning.
func (n *seqMap) mapNext(seq uint16, source uint32) (uint16, bool) {
	if !n.open {
		in, start := int64(seq), n.newest+1
		if n.current.id == source && n.used {
			// Keeps the count of the source's cycles for receiver reports.
			if in = unwrap(seq, n.in); in <= n.floor {
				return 0, false // a straggler from before the gap
			}
		}
		if !n.used {
			// Starting low keeps both ends' rollover counters equal even if the first packets are lost (RFC 3711, 3.3.1).
			start = int64(seq & 0x7fff)
			n.newest = start - 1
		}
		n.used, n.open = true, true
		n.current, n.in = section{start: start, in: in, id: source}, max(in, n.lastOf(source))
		return uint16(start), n.mark(start)
	}
	in := unwrap(seq, n.in)
	if in < n.current.in {
		return 0, false
	}
	out := n.current.start + in - n.current.in
	if !n.mark(out) {
		return 0, false
	}
	n.in = max(n.in, in)
	return uint16(out), true
}

// lastOf is the newest number known of a source that goes on, or less than any.
func (n *seqMap) lastOf(source uint32) int64 {
	if n.current.id == source {
		return n.in
	}
	return -1
}

// drop notes that a packet of the current source was held back, so that its numbers can be followed over a long pause.
func (n *seqMap) drop(seq uint16, source uint32) {
	if n.used && !n.open && n.current.id == source {
		n.in = max(n.in, unwrap(seq, n.in))
	}
}

// mark notes that number out is used now; false if it was, or is too old to know.
func (n *seqMap) mark(out int64) bool {
	if out <= n.newest-window {
		return false
	}
	if out > n.newest {
		ring(n.seen[:]).clear(uint64(n.newest+1), int(min(out-n.newest, window)))
		n.newest = out
	}
	if ring(n.seen[:]).has(uint64(out)) {
		return false
	}
	ring(n.seen[:]).add(uint64(out))
	return true
}

// lookup maps a number of the current section without using it up: the original number inside a retransmission.
func (n *seqMap) lookup(seq uint16) (uint16, bool) {
	if !n.open {
		return 0, false
	}
	in := unwrap(seq, n.in)
	if in < n.current.in || in > n.in {
		return 0, false // not sent in this section: the receiver never missed it
	}
	return uint16(n.current.start + in - n.current.in), true
}

// unmap maps one of our numbers to the source's, where source is the one that sends now.
func (n *seqMap) unmap(seq uint16, source uint32) (in int64, ok bool) {
	if !n.used {
		return 0, false
	}
	out := unwrap(seq, n.newest)
	if n.open && out >= n.current.start {
		return n.current.in + out - n.current.start, n.current.id == source
	}
	for _, s := range n.past[:n.pasts] {
		if out >= s.start && out <= s.end {
			return s.in + out - s.start, s.id == source
		}
	}
	return 0, false
}
