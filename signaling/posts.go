package signaling

// This file takes in what must not wait for the hub's lock.

import (
	"context"

	"duet/internal/lock"
)

// posts are steps from goroutines that must not wait for Hub.mu, in their order.
type posts struct {
	wake chan struct{} // capacity 1

	mu    lock.Mutex[lock.Leaf]
	queue []func(*step)
}

// takePosts does what was posted until ctx ends.
func (h *Hub) takePosts(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.posts.wake:
		}
		h.posts.mu.Lock()
		queue := h.posts.queue
		h.posts.queue = nil
		h.posts.mu.Unlock()
		for _, act := range queue {
			h.do(act)
		}
	}
}

func (h *Hub) post(act func(*step)) {
	h.posts.mu.Lock()
	h.posts.queue = append(h.posts.queue, act)
	h.posts.mu.Unlock()
	select {
	case h.posts.wake <- struct{}{}:
	default:
	}
}
