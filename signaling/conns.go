package signaling

// This file holds all connections, and what is due to each from time to time.

import (
	"sync"
	"time"

	"duet/internal/lock"
)

// conns is every connection, and whatever else must have ended when the hub ends.
type conns struct {
	running sync.WaitGroup // readers, and the goroutines of calls

	mu     lock.Mutex[lock.Leaf]
	all    map[*conn]struct{}
	closed bool // nobody is let in any more
}

// enter begins a connection; whoever does that ends it with running.Done.
func (g *conns) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.running.Add(1) // before anybody waits
	}
	return !g.closed
}

func (g *conns) add(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all[c] = struct{}{}
}

func (g *conns) drop(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.all, c)
}

// due returns the connections whose ping or whose new token is due.
func (g *conns) due(now time.Time, age, every time.Duration) (ping, renew []*conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.all {
		if !c.asksItself && !now.Before(c.pingAt) {
			c.pingAt = now.Add(every)
			ping = append(ping, c)
		}
		if at := c.renewAt.Load(); at != 0 && int64(age) >= at {
			renew = append(renew, c)
		}
	}
	return ping, renew
}

// everybody returns all connections, and lets no more in.
func (g *conns) everybody() []*conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	list := make([]*conn, 0, len(g.all))
	for c := range g.all {
		list = append(list, c)
	}
	return list
}
