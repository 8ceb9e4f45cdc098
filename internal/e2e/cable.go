//go:build linux

package e2e

// A cable between a browser and the server that a test can cut, or let go dead without a word.

import (
	"io"
	"net"
	"sync"
	"testing"

	"duet/internal/lock"
)

// A Cable passes TCP connections on. Media does not go through it.
type Cable struct {
	URL string // of the page, through the cable

	l  net.Listener
	to string
	wg sync.WaitGroup

	mu    lock.Mutex[lock.Leaf] // guards what follows
	conns map[net.Conn]bool
	dead  bool          // what is open stays open, and nothing passes
	alive chan struct{} // closed when dead ends
	cut   bool          // new connections are refused
}

// NewCable lays a cable to the server that is there until the test ends.
func NewCable(t testing.TB, s *Server) *Cable {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(Host(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	c := &Cable{URL: "http://" + l.Addr().String() + "/", l: l, to: net.JoinHostPort(Host(), s.HTTPPort), conns: map[net.Conn]bool{}}
	c.wg.Go(c.accept)
	t.Cleanup(func() {
		c.Mend()
		l.Close()
		c.drop()
		c.wg.Wait()
	})
	return c
}

func (c *Cable) accept() {
	for {
		near, err := c.l.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		refused := c.cut
		c.mu.Unlock()
		if refused {
			near.Close()
			continue
		}
		far, err := net.Dial("tcp", c.to)
		if err != nil {
			near.Close()
			continue
		}
		c.mu.Lock()
		c.conns[near], c.conns[far] = true, true
		c.mu.Unlock()
		c.wg.Go(func() { c.copy(near, far) })
		c.wg.Go(func() { c.copy(far, near) })
	}
}

// copy passes on what one end says until either is closed; while the cable is dead it holds all back.
func (c *Cable) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		for {
			c.mu.Lock()
			dead, alive := c.dead, c.alive
			c.mu.Unlock()
			if !dead {
				break
			}
			<-alive
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil && err != io.EOF || n == 0 {
			return
		}
	}
}

// Cut closes all connections and refuses new ones until Mend.
func (c *Cable) Cut() {
	c.mu.Lock()
	c.cut = true
	c.mu.Unlock()
	c.drop()
}

// Deaden lets nothing through any more, and closes nothing. Connections made later are as dead.
func (c *Cable) Deaden() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dead {
		c.dead, c.alive = true, make(chan struct{})
	}
}

// Mend lets new connections work. Those that were open when the cable went dead are gone.
func (c *Cable) Mend() {
	c.mu.Lock()
	c.cut = false
	dead := c.dead
	c.mu.Unlock()
	if !dead {
		return
	}
	c.drop()
	c.mu.Lock()
	c.dead = false
	close(c.alive)
	c.mu.Unlock()
}

func (c *Cable) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		conn.Close()
	}
	clear(c.conns)
}
