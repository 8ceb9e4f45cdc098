package udp

// No test leaves a goroutine behind.

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// listen opens a socket that ends with the test: of IPv4 alone on loopback, or of both families on all addresses.
func listen(t testing.TB, network string, o Options) *Socket {
	t.Helper()
	s, err := Listen(network, map[string]string{"udp4": "127.0.0.1:0", "udp": ":0"}[network], o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// peer is a plain socket.
func peer(t testing.TB) (*net.UDPConn, netip.AddrPort) {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// at is where a socket is reached over loopback.
func at(s *Socket) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(s.LocalAddr().Port))
}

func expectAt(t testing.TB, conn *net.UDPConn, want string) netip.AddrPort {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 4096)
	n, from, err := conn.ReadFromUDPAddrPort(b)
	if err != nil {
		t.Fatalf("waiting for %q: %v", want, err)
	}
	if string(b[:n]) != want {
		t.Fatalf("got %q, want %q", b[:n], want)
	}
	return from
}
