package turn

// This file bounds what is relayed for users for whom nobody vouches: where anybody may join, one person can be many.

import (
	"net/netip"

	"duet/internal/lock"
	"duet/internal/peraddr"
)

// commons is what such users have together. Of it one IPv4 address or /64 may have a quarter, a /56 half, a /48 three
// quarters, so that the others have something whatever one does.
type commons struct {
	all gcra // bytes

	mu       lock.Mutex[lock.Leaf] // guards what follows
	networks map[peraddr.Key]*plot
}

// plot is one network's part of the commons, while an allocation is there.
type plot struct {
	bytes gcra
	refs  int // guarded by commons.mu
}

// enter finds the plots of a client, the smallest network's first, to be given back by leave.
func (c *commons) enter(client netip.Addr) []*plot {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.networks == nil {
		c.networks = map[peraddr.Key]*plot{}
	}
	in, n := peraddr.Networks(client)
	plots := make([]*plot, n)
	for i := range plots {
		p := c.networks[in[i].Key]
		if p == nil {
			p = &plot{}
			p.bytes.perSecond = c.all.perSecond * int64(i+1) / 4
			c.networks[in[i].Key] = p
		}
		p.refs++
		plots[i] = p
	}
	return plots
}

func (c *commons) leave(client netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in, n := peraddr.Networks(client)
	for _, network := range in[:n] {
		if p := c.networks[network.Key]; p.refs > 1 {
			p.refs--
		} else {
			delete(c.networks, network.Key)
		}
	}
}

// leastPacket is for how many bytes a packet counts at least: a small one is as much work as a large one.
const leastPacket = 400

// take books n bytes that are relayed for who has these plots, and says whether they may be.
func (c *commons) take(plots []*plot, n int, now int64) bool {
	n = max(n, leastPacket)
	for _, p := range plots {
		if !p.bytes.take(n, now) {
			return false
		}
	}
	return len(plots) == 0 || c.all.take(n, now)
}
