package plane

// What one datagram and one end of a call may cost: the loop is one for all calls, so that work is bounded in steps.

import "time"

const (
	// rtcpWork is how many steps are taken for one datagram of RTCP: statuses rewritten and entries of lists mapped. A packet
	// of the compound counts for packetWork, a report block for blockWork. Browsers stay below a fifth of it. What is beyond
	// is left out, or passed on as it is where that is harmless.
	rtcpWork   = 512
	packetWork = 16
	blockWork  = 8

	// maxElements is how many header extensions, blocks of redundant audio or units of an aggregate are looked at in a packet.
	maxElements = 32
	// maxExtensions is how many bytes of header extensions a packet may have; AV1's dependency descriptor has 100.
	maxExtensions = 512

	// burst is how long a bucket fills: a key frame may be many times the mean.
	burst = time.Second
	// An end may send packets of meanPacket bytes at its rate in bytes, and morePackets a second beside them: voice is small.
	meanPacket  = 400
	morePackets = 500
	// reportCredit is how much of a second's share reports may take when media has used the share up: what one end says about
	// the other's media is not to be lost for its own.
	reportCredit = 0.25
	// excessPause is how long packets are dropped unopened after one that was too many.
	excessPause = time.Millisecond
)

// bucket bounds what one end sends, in bytes and in packets.
type bucket struct {
	rate, packetRate float64 // a second; 0 is unbounded
	bytes, packets   float64
	at               time.Duration
}

func newBucket(rate int) bucket {
	if rate == 0 {
		return bucket{}
	}
	return bucket{rate: float64(rate), packetRate: float64(rate)/meanPacket + morePackets}
}

// take takes a packet of n bytes; credit is the part of a burst by which the bucket may be overdrawn.
func (b *bucket) take(n int, now time.Duration, credit float64) bool {
	if b.rate == 0 {
		return true
	}
	passed, full := (now - b.at).Seconds(), burst.Seconds()
	b.bytes = min(b.bytes+passed*b.rate, full*b.rate)
	b.packets = min(b.packets+passed*b.packetRate, full*b.packetRate)
	b.at = now
	if b.bytes+credit*b.rate < float64(n) || b.packets+credit*b.packetRate < 1 {
		return false
	}
	b.bytes -= float64(n)
	b.packets--
	return true
}

// spend takes steps of the datagram's, or says that there are not so many left.
func (t *Translator) spend(steps int) bool {
	if t.work < steps {
		return false
	}
	t.work -= steps
	return true
}

// ring is a set of the numbers around the newest one, by number modulo its size in bits.
type ring []uint64

// clear takes n numbers out, from the given one on.
func (r ring) clear(from uint64, n int) {
	if n >= len(r)*64 {
		clear(r)
		return
	}
	for n > 0 {
		word, mask, bits := r.next(from, n)
		*word &^= mask
		from, n = from+uint64(bits), n-bits
	}
}

// any says whether one of n numbers is in the set.
func (r ring) any(from uint64, n int) bool {
	for n = min(n, len(r)*64); n > 0; {
		word, mask, bits := r.next(from, n)
		if *word&mask != 0 {
			return true
		}
		from, n = from+uint64(bits), n-bits
	}
	return false
}

// next is the word of a number, and the bits there of it and those after it, n at most.
func (r ring) next(from uint64, n int) (word *uint64, mask uint64, bits int) {
	at := from % uint64(len(r)*64)
	bits = min(64-int(at%64), n)
	return &r[at/64], ^uint64(0) >> (64 - bits) << (at % 64), bits
}

func (r ring) add(n uint64)      { r[n/64%uint64(len(r))] |= 1 << (n % 64) }
func (r ring) has(n uint64) bool { return r[n/64%uint64(len(r))]&(1<<(n%64)) != 0 }
