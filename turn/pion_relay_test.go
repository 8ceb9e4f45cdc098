package turn

import (
	"testing"
)

// After Refresh with lifetime 0 the library's old packet handler deleted whatever the client had allocated since.
func TestOldAllocationDoesNotTakeTheNewOneAlong(t *testing.T) {
	s := start(t)
	c := dial(t, s, "udp")
	for range 20 {
		old := s.relays.lookup(c.allocate())
		c.mustAsk(methodRefresh, lifetime(0))
		c.allocate()
		// However late the old handler wakes up, it must end here, not return and delete by address.
		over, returned := make(chan struct{}), false
		go func() {
			defer close(over)
			(&relayConn{allocation: old}).ReadFrom(make([]byte, 1600))
			returned = true
		}()
		<-over
		if returned {
			t.Fatal("ReadFrom of a closed allocation returned")
		}
		c.mustAsk(methodRefresh, lifetime(0)) // is still there
	}
}
