package relay

// The TCP port outlives what a client or the machine does to it.

import (
	"io"
	"net"
	"net/netip"
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
		Listener: anyTCP{&starved{base, 3}, &tcpConns{byIP: map[netip.Addr]int{}}},
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

func TestTCPLimits(t *testing.T) {
	conns := &tcpConns{byIP: map[netip.Addr]int{}}
	one, same, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("192.0.2.1")
	for range maxTCPPerIP {
		if !conns.enter(one) {
			t.Fatal("refused below the limit")
		}
	}
	if conns.enter(one) || conns.enter(same) {
		t.Error("more than the limit from one customer")
	}
	if !conns.enter(other) {
		t.Error("one customer keeps another out")
	}
	conns.leave(one)
	if !conns.enter(same) {
		t.Error("what was given back is not free")
	}
	for i := range maxTCP {
		conns.enter(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	if conns.all != maxTCP {
		t.Errorf("%d connections, want %d", conns.all, maxTCP)
	}
}
