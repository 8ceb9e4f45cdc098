package plane

import (
	"testing"
	"time"
)

// What does not fit into the receive buffer while the loop is busy is counted, not just gone.
func TestKernelLossIsCounted(t *testing.T) {
	conn, from := socket(t), socket(t)
	p := New(conn, conn.LocalAddr(), func() time.Duration { return time.Second })
	const flood = 1000 // the loop does not run yet, and the system's own size keeps some hundred
	for range flood {
		if _, err := from.WriteTo(make([]byte, 1000), p.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	lost := p.Stats().Dropped[DropKernel]
	done := make(chan error)
	go func() { done <- p.Run() }()
	for deadline := time.Now().Add(patience); p.Stats().PacketsIn+lost < flood && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if in := p.Stats().PacketsIn; lost == 0 || in+lost != flood {
		t.Errorf("of %d packets %d came in and %d are counted as lost", flood, in, lost)
	}
	_ = p.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
