package plane

// What packets cost, ordinary and hostile ones.

import (
	"bytes"
	"testing"
	"time"
)

// BenchmarkLoop is what a burst of 32 packets costs from a client's socket through the loop to the other client's, with the
// client's sealing.
func BenchmarkLoop(b *testing.B) {
	_, from, to := world(b)
	to.conn.SetReadBuffer(4 << 20)
	payload, buf := append(bytes.Clone(key), make([]byte, 1000)...), make([]byte, 2000)
	const burst = 32
	b.SetBytes(burst * 1000)
	b.ReportAllocs()
	for seq := uint16(0); b.Loop(); {
		for range burst {
			from.send(from.sealed(aliceVideo, 96, seq, payload))
			seq++
		}
		_ = to.conn.SetReadDeadline(time.Now().Add(patience))
		for range burst {
			if _, err := to.conn.Read(buf); err != nil {
				b.Fatal(err)
			}
		}
	}
}
