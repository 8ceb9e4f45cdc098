package turn

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"
)

// What waits comes out in order, whole and padded, and is bounded, however puts and takes alternate.
func TestSendQueue(t *testing.T) {
	var q sendQueue
	var want [][]byte
	held, refused := 0, 0
	take := func() {
		frame, _ := q.next()
		if len(want) == 0 {
			if frame != nil {
				t.Fatalf("%d bytes out of nothing", len(frame))
			}
			return
		}
		if n := len(want[0]); len(frame) != (n+3)&^3 || !bytes.Equal(frame[:n], want[0]) {
			t.Fatalf("got %d bytes, want %d", len(frame), n)
		}
		held -= len(frame)
		want = want[1:]
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 20_000 {
		for range r.IntN(4) * (1 - i/5000%2) { // fills up, runs empty
			frame := channelData(0x4000, string(make([]byte, r.IntN(1300))))
			binary.BigEndian.PutUint16(frame[:2], 0x4000+uint16(i%0x1000))
			if fits := held+len(frame) <= maxSendQueue; q.put(frame, time.Time{}) != fits {
				t.Fatalf("%d bytes beside %d: fits is %v", len(frame), held, fits)
			} else if !fits {
				refused++
				continue
			}
			want = append(want, frame)
			held += (len(frame) + 3) &^ 3
		}
		take()
	}
	if refused == 0 || len(want) > 0 || cap(q.bytes) > 3*maxSendQueue {
		t.Errorf("%d refused, %d left, room for %d", refused, len(want), cap(q.bytes))
	}
}
