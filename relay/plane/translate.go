package plane

// The translator of one call: RTP from one leg becomes RTP for the other.

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"duet/internal/lock"
)

// Result is what became of a packet.
type Result uint8

// The results: the first is the only one that sends.
const (
	Forward Result = iota
	Malformed
	Unknown // no stream, payload type or leg for it
	Muted
	Waiting // for a key frame
	Stale   // a repeated number, or one from before the source's beginning
	Excess  // more than one end of a call may send
	Results
)

func (v Result) String() string {
	return [...]string{"forward", "malformed", "unknown", "muted", "waiting", "stale", "excess", "?"}[min(v, Results)]
}

const (
	// After this long without a recognisable key frame a video opens anyway: its payload may be encrypted end to end.
	keyFrameTimeout = 1500 * time.Millisecond
	// While one is awaited it is asked for again this often.
	pliInterval = 300 * time.Millisecond
	// A second source takes over a stream when the first has been silent for this long.
	sourceSilence = 500 * time.Millisecond
)

// Translator is the state of one call.
type Translator struct {
	loop   bool // see Loop
	mu     lock.Mutex[lock.Leaf]
	legs   [2]*Leg
	on     [2][Kinds]bool  // by sender: its track states
	flows  [2][Kinds]*flow // by sender
	wanted [2][Kinds]bool  // by sender: a key frame should be asked for
	counts [2]Counts

	second           [2]bool    // by sender: its second video line has the pictures, see lines.go
	twccMaps         [2]twccMap // by sender
	buckets          [2]bucket
	over             [2][2]atomic.Int64 // by sender, of media and of reports: what comes before then is too much, without a look
	work             int                // steps that are left for a datagram
	totals           *Totals            // of all calls; nil: not counted
	statuses, filled []uint8            // scratch of transportFeedback
}

// Counts is what one leg sent, and what became of it.
type Counts struct {
	Packets, Bytes uint64 // forwarded
	Dropped        [Results]uint64
	KeyRequests    uint64        // by the relay itself
	Lost           int           // of those forwarded, as the other end reports it
	RTT            time.Duration // between the relay and the other end, as last reported; 0 is unknown
}

// Totals are the sums over all calls, for metrics.
type Totals struct {
	Results     [Results]atomic.Uint64
	KeyRequests atomic.Uint64
}

// What over is about.
const (
	overMedia = iota
	overReports
)

// exceeds says without a lock that an end has just sent more than it may, so that its packets need not be opened.
func (t *Translator) exceeds(from Side, of int, now time.Duration) bool {
	if int64(now) >= t.over[from][of].Load() {
		return false
	}
	if t.totals != nil {
		t.totals.Results[Excess].Add(1)
	}
	return true
}

// Limit bounds what each end may send, in bytes a second; packets are bounded with them.
func (t *Translator) Limit(rate int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.buckets {
		t.buckets[i] = newBucket(rate)
	}
}

// NewTranslator starts with audio and video on and screen off, as a call does.
func NewTranslator() *Translator {
	t := &Translator{}
	for s := range t.on {
		t.on[s] = [Kinds]bool{Audio: true, Video: true}
	}
	return t
}

// SetLeg tells what was negotiated on a leg; nil that it is gone. Streams that go on under the same leg keep their numbers.
func (t *Translator) SetLeg(side Side, leg *Leg) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.legs[side]
	t.legs[side] = leg
	fresh := old == nil || leg == nil || old.ID != leg.ID
	if fresh {
		t.twccMaps[side].resync()
		t.twccMaps[t.across(side)] = twccMap{} // what is sent to a fresh leg is counted anew
	}
	senders := []Side{side, side.Other()}
	if t.loop {
		senders = senders[:1]
	}
	for _, from := range senders {
		t.choose(from)
		for k := range Kinds {
			// Into a fresh leg numbers start anew: it has fresh keys. Out of one they go on.
			t.link(from, k, fresh && t.across(from) == side, fresh && from == side)
		}
	}
}

// link rebuilds the mapping of one stream. A fresh receiver, or one that reads other SSRCs, has seen no numbers yet.
func (t *Translator) link(from Side, k Kind, fresh, renewed bool) {
	in, out := t.source(from, k), stream(t.legs[t.across(from)], k)
	old := t.flows[from][k]
	if out == nil && old != nil && t.legs[t.across(from)] == nil {
		t.flows[from][k] = nil // the receiving leg is gone, and its keys with it
		return
	}
	if in == nil || out == nil {
		if old != nil { // numbers must outlive the sender
			old.stop()
			old.pt = [128]uint8{}
		}
		return
	}
	f := old
	if f == nil || fresh || f.out.Out != out.Out {
		f = &flow{}
	}
	moved := f.in != nil && f.in.Mid != in.Mid
	f.in, f.out = in, out
	f.pt, f.rtx, f.ext, f.mid, f.twcc = [128]uint8{}, [128]bool{}, [256]uint8{}, 0, 0
	for _, c := range in.Codecs {
		for _, d := range out.Codecs {
			if c.Name == d.Name {
				f.pt[c.PT&0x7f] = d.PT&0x7f + 1
				f.rtx[c.PT&0x7f] = len(c.Name) > 4 && c.Name[:4] == "rtx:"
				f.fam[c.PT&0x7f] = uint8(c.Family)
				f.clk[c.PT&0x7f] = c.Clock
				break
			}
		}
	}
	for uri, id := range in.Exts {
		f.ext[id] = out.Exts[uri]
		switch uri {
		case midURI:
			f.mid = id
		case transportURI:
			f.twcc = id
		}
	}
	if renewed || moved || f.source == 0 || in.Source != 0 && in.Source != f.source {
		f.take(in.Source, in.SourceRTX)
	}
	if in.SourceRTX != 0 {
		f.sourceRTX = in.SourceRTX
	}
	t.flows[from][k] = f
	// Whoever joins, or sees a new source, begins with a key frame.
	if fresh || !f.begun {
		f.stop()
		t.wanted[from][k] = k != Audio
	}
}

func stream(l *Leg, k Kind) *Stream {
	if l == nil {
		return nil
	}
	return l.Streams[k]
}

// SetOn sets a sender's track state. Off takes effect with the next packet.
func (t *Translator) SetOn(from Side, k Kind, on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := [Kinds]bool{}
	for k := range Kinds {
		before[k] = t.passes(from, k)
	}
	t.on[from][k] = on
	was := t.second[from]
	t.second[from] = was && k != Screen // turned finds it again
	if t.choose(from) != was {
		t.link(from, Video, false, false)
	}
	for k := range Kinds {
		f, now := t.flows[from][k], t.passes(from, k)
		if f == nil || before[k] == now {
			continue
		}
		f.stop()
		t.wanted[from][k] = now && k != Audio
	}
}

// passes reports whether a stream is let through. Where either end has one video line alone, the screen is shown there.
func (t *Translator) passes(from Side, k Kind) bool {
	if k == Video && (stream(t.legs[from], Screen) == nil || stream(t.legs[t.across(from)], Screen) == nil) {
		return t.on[from][Video] || t.on[from][Screen]
	}
	return t.on[from][k]
}

// Wanted returns the sources of a leg that should be asked for a key frame now, and forgets them.
func (t *Translator) Wanted(from Side, now time.Duration) (ssrcs [Kinds]uint32, any bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.wantedLocked(from, now)
}

func (t *Translator) wantedLocked(from Side, now time.Duration) (ssrcs [Kinds]uint32, any bool) {
	for k, want := range t.wanted[from] {
		t.wanted[from][k] = false
		f := t.flows[from][k]
		if !want || f == nil || f.source == 0 || !t.passes(from, Kind(k)) {
			continue
		}
		f.askedAt = now
		ssrcs[k], any = f.source, true
		t.counts[from].KeyRequests++
		if t.totals != nil {
			t.totals.KeyRequests.Add(1)
		}
	}
	return ssrcs, any
}

// Counts returns what a leg sent.
func (t *Translator) Counts(from Side) Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts[from]
	for _, f := range t.flows[from] {
		if f != nil {
			c.Lost += int(f.lost)
			c.RTT = max(c.RTT, f.rtt)
		}
	}
	return c
}

// RTP turns a packet of one leg into one for the other, in place; the padding and all lengths stay. Send it only if the
// result is Forward. now is the caller's monotonic clock. ask reports that Wanted has something.
func (t *Translator) RTP(from Side, b []byte, now time.Duration) (v Result, ask bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v = t.rtpLocked(from, b, now)
	if v == Forward {
		t.counts[from].Packets++
		t.counts[from].Bytes += uint64(len(b))
	} else {
		t.counts[from].Dropped[v]++
	}
	if t.totals != nil {
		t.totals.Results[v].Add(1)
	}
	return v, t.wanted[from] != [Kinds]bool{}
}

func (t *Translator) rtpLocked(from Side, b []byte, now time.Duration) Result {
	p, ok := parse(b)
	if !ok {
		return Malformed
	}
	k, f := t.find(from, p, now)
	if f == nil {
		return Unknown
	}
	if !t.buckets[from].take(len(b), now, 0) {
		f.damaged = f.damaged || !f.rtx[p.payloadType()]
		t.over[from][overMedia].Store(int64(now + excessPause))
		return Excess // a loss like any other, which the sender's congestion control must see
	}
	v := t.pass(from, k, f, p, now)
	if v != Forward && f.twcc != 0 {
		p.extensions(func(id uint8, value []byte) uint8 {
			if id == f.twcc && len(value) == 2 {
				t.twccMaps[from].mapSeq(binary.BigEndian.Uint16(value), false)
			}
			return id
		})
	}
	return v
}

// pass decides about a packet of a known stream and renames it.
func (t *Translator) pass(from Side, k Kind, f *flow, p packet, now time.Duration) Result {
	pt := p.payloadType()
	out := f.pt[pt]
	if out == 0 {
		return Unknown
	}
	if f.rtx[pt] {
		if !t.passes(from, k) {
			return Muted
		}
		return t.retransmission(from, f, p, out-1)
	}
	f.lastPacketAt = now
	if !t.passes(from, k) {
		f.media.drop(p.sequence(), f.sourceGen)
		return Muted
	}
	if !f.open && !t.begins(from, k, f, p, now) {
		f.media.drop(p.sequence(), f.sourceGen)
		return Waiting
	}
	seq, ok := f.media.mapNext(p.sequence(), f.sourceGen)
	if !ok {
		return Stale
	}
	f.open = true
	if !f.begun {
		if f.packets > 0 { // another source goes on where the last one stopped
			gone := uint32((now - f.sentAt).Microseconds() * int64(f.clk[pt]) / time.Second.Microseconds()) // it may be days
			f.tsDelta = f.lastTS + max(gone, 1) - p.timestamp()
		}
		f.begun = true
	}
	if f.damaged && k != Audio && now-f.askedAt > pliInterval {
		// What is missing was dropped here; the receiver would ask for it, and for a picture after three seconds only.
		f.damaged, t.wanted[from][k] = false, true
	}
	f.lastTS, f.sentAt = p.timestamp()+f.tsDelta, now
	f.packets++
	f.octets += uint32(p.end - p.payload)
	t.rewrite(from, f, p, out-1, seq, f.out.Out)
	return Forward
}

// find names the stream of a packet: by SSRC, else by mid or payload type, which also lets a new source take over.
func (t *Translator) find(from Side, p packet, now time.Duration) (Kind, *flow) {
	ssrc, pt := p.ssrc(), p.payloadType()
	for k, f := range t.flows[from] {
		if f != nil && (f.source == ssrc || f.sourceRTX == ssrc) && ssrc != 0 {
			if Kind(k) == Screen && t.turned(from, p, now) {
				return Video, t.flows[from][Video]
			}
			return Kind(k), f
		}
	}
	if t.legs[from] == nil {
		return 0, nil
	}
	if t.turned(from, p, now) {
		return Video, t.flows[from][Video]
	}
	for k, f := range t.flows[from] {
		if f == nil || f.pt[pt] == 0 || !f.hasMid(p) {
			continue
		}
		if f.rtx[pt] {
			if f.sourceRTX == 0 {
				f.rtxSeqs.close()
				f.sourceRTX = ssrc
				return Kind(k), f
			}
			continue
		}
		if f.source != 0 && now-f.lastPacketAt < sourceSilence && f.lastPacketAt != 0 {
			continue
		}
		f.take(ssrc, 0)
		t.wanted[from][k] = Kind(k) != Audio
		return Kind(k), f
	}
	return 0, nil
}
