package plane

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Whatever comes, in whatever order: no number under one SSRC is given out twice while the leg stays, and what goes
// forward keeps its order.
func TestNoNumberTwice(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	tr := call()
	seen := map[[2]uint32]bool{}
	leg, source, seq, now, wraps := uint64(2), uint32(aliceVideo), uint16(65000), time.Second, uint32(0)
	last := uint16(0)
	forwarded := 0
	for range 200_000 {
		now += time.Millisecond
		n := seq
		switch r.IntN(50) {
		case 0:
			tr.SetOn(0, Video, r.IntN(2) == 0)
			continue
		case 1:
			n -= uint16(r.IntN(700)) // late, or a duplicate
		case 2:
			seq += uint16(r.IntN(300)) // a loss
			n = seq
		case 3:
			if r.IntN(20) == 0 {
				leg++
				source++
				next := alice(leg)
				next.Streams[Video].Source = source
				tr.SetLeg(0, next)
				seq = uint16(r.Uint32())
				n = seq
			}
		default:
			seq++
			n = seq
		}
		b := make1(t, 96, source, n, uint32(n), key)
		if v, _ := tr.RTP(0, b, now); v != Forward {
			continue
		}
		out := read(t, b).SequenceNumber
		if forwarded > 0 && out < 0x4000 && last > 0xc000 {
			wraps++
		}
		cycle := wraps
		if out > 0xc000 && last < 0x4000 && wraps > 0 {
			cycle--
		} else {
			last = out
		}
		if id := [2]uint32{cycle, uint32(out)}; seen[id] {
			t.Fatalf("number %d of cycle %d was given out twice", out, cycle)
		} else {
			seen[id] = true
		}
		forwarded++
	}
	if forwarded < 50_000 || wraps < 2 {
		t.Errorf("only %d packets and %d cycles were tried", forwarded, wraps)
	}
}
