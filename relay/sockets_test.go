package relay

// The TCP port outlives what a client or the machine does to it.

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/pion/ice/v4"

	"duet/internal/peraddr"
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
		Listener: newAnyTCP(&starved{base, 3}, 0, slog.New(slog.DiscardHandler)),
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
	l := newAnyTCP(base, 0, slog.New(slog.DiscardHandler))
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
		there = l.conns.places.Len()
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

// Connections that say nothing kept everybody else's out.
func TestOldestSilentStreamGivesWay(t *testing.T) {
	base, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newAnyTCP(base, 0, slog.New(slog.DiscardHandler))
	l.conns.places = peraddr.NewPlaces[*anyTCPConn](2, 0)
	defer l.Close()
	connect := func() (client, server net.Conn) {
		if client, err = net.Dial("tcp", base.Addr().String()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		if server, err = l.Accept(); err != nil {
			t.Fatal(err)
		}
		_ = client.SetDeadline(time.Now().Add(patience))
		return client, server
	}
	talks, leg := connect()
	if _, err := talks.Write([]byte("a check")); err != nil {
		t.Fatal(err)
	}
	if _, err := leg.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	silent, _ := connect()
	newest, _ := connect()
	if _, err := silent.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the silent one: %v, want an end", err)
	}
	for _, c := range l.conns.end() {
		_, _ = c.Write([]byte("still here"))
	}
	for _, c := range []net.Conn{talks, newest} {
		if n, err := c.Read(make([]byte, 100)); n != 10 {
			t.Errorf("one that was to stay: %d bytes, %v", n, err)
		}
	}
}

func TestTCPLimits(t *testing.T) {
	const maxTCPPerIP = 200
	conns := newAnyTCP(nil, maxTCPPerIP, nil).conns
	enter := func(c *anyTCPConn, ip netip.Addr) bool {
		how, _ := conns.enter(c, ip)
		return how == peraddr.Entered
	}
	one, same, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("192.0.2.1")
	first := &anyTCPConn{}
	if !enter(first, one) {
		t.Fatal("refused the first")
	}
	for range maxTCPPerIP - 1 {
		if !enter(&anyTCPConn{}, one) {
			t.Fatal("refused below the limit")
		}
	}
	if enter(&anyTCPConn{}, one) || enter(&anyTCPConn{}, same) {
		t.Error("more than the limit from one customer")
	}
	if !enter(&anyTCPConn{}, other) {
		t.Error("one customer keeps another out")
	}
	conns.leave(first)
	conns.leave(first) // pion may close twice
	if !enter(&anyTCPConn{}, same) {
		t.Error("what was given back is not free")
	}
	if enter(&anyTCPConn{}, same) {
		t.Error("what was closed twice was given back twice")
	}
	for i := range maxTCP {
		enter(&anyTCPConn{}, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	if conns.places.Len() != maxTCP {
		t.Errorf("%d connections, want %d", conns.places.Len(), maxTCP)
	}
	if len(conns.end()) != maxTCP || enter(&anyTCPConn{}, netip.MustParseAddr("192.0.2.2")) {
		t.Error("open to newcomers after the end")
	}
}
