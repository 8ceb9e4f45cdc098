package relay

// The TCP port outlives what a client or the machine does to it.

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/pion/ice/v4"
)

// starved is a listener of a process that has no file descriptors left for a while.
type starved struct {
	net.Listener
	failures int
}

func (l *starved) Accept() (net.Conn, error) {
	if l.failures--; l.failures >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

// One failing Accept ended the relay's TCP port for good.
func TestAcceptErrorsPass(t *testing.T) {
	base, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: newAnyTCP(&starved{base, 3}),
		Logger:   start(t, nil).pion.NewLogger("ice"), ReadBufferSize: 8, FirstStunBindTimeout: time.Millisecond,
	})
	defer func() {
		if err := mux.Close(); err != nil {
			t.Error(err)
		}
	}()
	c, err := net.Dial("tcp", base.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Read(make([]byte, 1)); err != io.EOF { // accepted, and closed for its silence
		t.Errorf("read: %v, want EOF", err)
	}
}

// A connection that said nothing held the server's end up until pion gave it up, after 10 s.
func TestSilentStreamEnds(t *testing.T) {
	base, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newAnyTCP(base)
	mux := ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: l, Logger: start(t, nil).pion.NewLogger("ice"), ReadBufferSize: 8, FirstStunBindTimeout: 10 * patience,
	})
	c, err := net.Dial("tcp", base.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for there := 0; there == 0; time.Sleep(time.Millisecond) {
		l.conns.mu.Lock()
		there = len(l.conns.from)
		l.conns.mu.Unlock()
	}
	ended := make(chan error)
	go func() { ended <- mux.Close() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("a silent connection holds the end up")
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v, want the connection closed", err)
	}
}

func TestTCPLimits(t *testing.T) {
	conns := newAnyTCP(nil).conns
	one, same, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("192.0.2.1")
	first := &anyTCPConn{}
	if !conns.enter(first, one) {
		t.Fatal("refused the first")
	}
	for range maxTCPPerIP - 1 {
		if !conns.enter(&anyTCPConn{}, one) {
			t.Fatal("refused below the limit")
		}
	}
	if conns.enter(&anyTCPConn{}, one) || conns.enter(&anyTCPConn{}, same) {
		t.Error("more than the limit from one customer")
	}
	if !conns.enter(&anyTCPConn{}, other) {
		t.Error("one customer keeps another out")
	}
	conns.leave(first)
	conns.leave(first) // pion may close twice
	if !conns.enter(&anyTCPConn{}, same) {
		t.Error("what was given back is not free")
	}
	if conns.enter(&anyTCPConn{}, same) {
		t.Error("what was closed twice was given back twice")
	}
	for i := range maxTCP {
		conns.enter(&anyTCPConn{}, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	if len(conns.from) != maxTCP {
		t.Errorf("%d connections, want %d", len(conns.from), maxTCP)
	}
	if len(conns.end()) != maxTCP || conns.enter(&anyTCPConn{}, netip.MustParseAddr("192.0.2.2")) {
		t.Error("open to newcomers after the end")
	}
}
