package signaling

// This file is the end of the server.

import (
	"time"

	"duet/signaling/call"
	"duet/signaling/protocol"
)

// drainTime is how long clients may take to close, a little more than a connection waits for its client's answer.
const drainTime = 2500 * time.Millisecond

// drain tells the clients that the server ends, closes all connections and
// waits for them.
func (h *Hub) drain() {
	conns := h.conns.everybody()
	spread := min(h.cfg.DrainTime, time.Duration(len(conns))*2*time.Millisecond)
	slot := func(i int) time.Duration { return spread * time.Duration(i) / time.Duration(max(1, len(conns))) }

	h.do(func(st *step) {
		st.draining = true
		st.apply(call.Shutdown{})
		for i, c := range conns {
			if s := c.session; s != nil && s.Features.Has(protocol.FeatureResume) {
				st.renew(s) // so that the next server takes it, however late this one is
				st.sendUnnumbered(s, protocol.GoingAwayMessage{ReconnectInMs: slot(i).Milliseconds()})
			}
		}
	})

	start := time.Now()
	for i, c := range conns {
		if wait := slot(i) - time.Since(start); wait > 0 {
			time.Sleep(wait)
		}
		c.close(protocol.CloseGoingAway, "the server is going away")
	}
	done := make(chan struct{})
	go func() { h.conns.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(drainTime):
		for _, c := range h.conns.everybody() {
			c.wire.Abort()
		}
		<-done
	}
	h.do(func(st *step) {
		for _, t := range st.timers {
			t.Stop()
		}
		for _, s := range st.sessions {
			if s.expires != nil {
				s.expires.Stop()
			}
			if s.expiry != nil {
				s.expiry.Stop()
			}
		}
	})
}
