package signaling

// This file takes in what the relay tells, which may hold locks of its own and must not wait for the hub's.

import (
	"context"

	"duet/internal/lock"
)

// relayEvents are steps from goroutines that must not wait for Hub.mu, in their order.
type relayEvents struct {
	wake chan struct{} // capacity 1

	mu    lock.Mutex[lock.Leaf]
	queue []func(*step)
}

// takeRelayEvents does them until ctx ends.
func (h *Hub) takeRelayEvents(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.relayEvents.wake:
		}
		h.relayEvents.mu.Lock()
		queue := h.relayEvents.queue
		h.relayEvents.queue = nil
		h.relayEvents.mu.Unlock()
		for _, act := range queue {
			h.do(act)
		}
	}
}

// relayEvent queues one; it waits for nobody.
func (h *Hub) relayEvent(act func(*step)) {
	h.relayEvents.mu.Lock()
	h.relayEvents.queue = append(h.relayEvents.queue, act)
	h.relayEvents.mu.Unlock()
	select {
	case h.relayEvents.wake <- struct{}{}:
	default:
	}
}
