//go:build !udp_standin

package plane

// Packets that the kernel lost.

import (
	"testing"
	"time"

	"duet/internal/udp"
)

// What does not fit into the receive buffer while the loop is busy is counted, not just gone.
func TestKernelLossIsCounted(t *testing.T) {
	conn, from := socket(t), socket(t)
	p := New(conn, conn.LocalAddr(), func() time.Duration { return time.Second })
	defer p.Close()
	const flood = 1000 // nothing reads yet, and the system's own size keeps some hundred
	for range flood {
		if _, err := from.WriteTo(make([]byte, 1000), p.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	lost := p.Stats().Dropped[DropKernel]
	if lost == 0 || lost >= flood {
		t.Fatalf("%d of %d packets are counted as lost", lost, flood)
	}
	arrived := 0
	for in := udp.NewInbox(batch, maxPacket, 0, largest+1); ; in.Free() {
		_, n, err := p.sock.Receive(in, batch)
		if err != nil {
			break
		}
		arrived += n
	}
	if arrived+int(lost) != flood {
		t.Errorf("of %d packets %d came in and %d are counted as lost", flood, arrived, lost)
	}
}
