package wsconn

// This file tests what happens when the socket takes no more, where writes do not block.

import (
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"duet/internal/udp"
	"duet/signaling/protocol"
)

// fill writes to the client, who does not read, until its socket takes no more and nothing is on its way, so that no room comes
// back; and then makes the socket smaller than what waits in it, since a probe of the window may still move a little.
func fill(t *testing.T, c *Conn) {
	t.Helper()
	filler := [][]byte{make([]byte, 64<<10)}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; <-tick.C {
		full := false
		var fault error
		if err := c.sock.raw.Write(func(fd uintptr) bool {
			for taken := error(nil); taken == nil; {
				_, taken = udp.WriteStream(fd, filler)
			}
			var info *unix.TCPInfo
			if info, fault = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); fault == nil && info.Unacked == 0 && info.Notsent_bytes > 0 {
				full = true
				fault = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, 1)
			}
			return true
		}); err != nil || fault != nil {
			t.Fatal(err, fault)
		}
		if full {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the socket does not fill")
		}
	}
}

// takeOver does what Flush does when somebody closes the connection at the same time, and the socket is full.
func takeOver(t *testing.T, c *Conn, meanwhile func()) {
	t.Helper()
	c.mu.Lock()
	c.writing = true
	c.writers.Add(1)
	c.mu.Unlock()
	meanwhile()
	if c.write(false) {
		t.Fatal("the socket took it: this proves nothing")
	}
}

// TestCloseOnAFullSocket: whoever takes over what the socket did not take knows that the connection is to end.
func TestCloseOnAFullSocket(t *testing.T) {
	c, h, ws := pair(t, limits())
	fill(t, c)
	takeOver(t, c, func() { c.Close(protocol.CloseGoingAway, "the server is going away") })
	go c.write(true)
	go io.Copy(io.Discard, ws.NetConn()) // the client takes everything, but answers nothing and does not hang up
	start := time.Now()
	within(t, h.gone)
	if d := time.Since(start); d > limits().WriteTimeout {
		t.Errorf("it took %s", d)
	}
}

// TestWaitingIsCounted: what has been tried and waits again is still waiting.
func TestWaitingIsCounted(t *testing.T) {
	cfg := limits()
	cfg.QueueFrames, cfg.QueueBytes = 10, 100<<10
	for _, size := range []int{20 << 10, 10} {
		c, h, ws := pair(t, cfg)
		fill(t, c)
		takeOver(t, c, func() { c.Push(protocol.Frame{Data: make([]byte, size), Size: size, Rings: "c"}) })
		n := 1
		for ; c.Push(protocol.Frame{Data: make([]byte, size), Size: size}); n++ {
			if n > 100 {
				t.Fatal("there is no end")
			}
		}
		if want := map[int]int{20 << 10: 6, 10: 10}[size]; n != want {
			t.Errorf("there was room for %d of %d bytes, want %d", n, size, want)
		}
		go c.write(true)
		if len(h.rang) > 0 {
			t.Error("it rings before it is written")
		}
		go io.Copy(io.Discard, ws.NetConn())
		within(t, h.rang)
		within(t, h.gone)
	}
}
