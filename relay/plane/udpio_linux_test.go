package plane

import (
	"testing"
	"time"
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
	for io := newUDPIO(p.sock); ; { // which does not wait before the loop has begun
		n, err := io.receive()
		if err != nil {
			break
		}
		arrived += n
	}
	if arrived+int(lost) != flood {
		t.Errorf("of %d packets %d came in and %d are counted as lost", flood, arrived, lost)
	}
}
