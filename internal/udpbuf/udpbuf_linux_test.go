package udpbuf

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSetAndLost(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	sizes := func() (receive, send int, lost uint64) {
		raw.Control(func(fd uintptr) {
			receive, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
			send, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
			lost = Lost(int(fd))
		})
		return receive, send, lost
	}
	_, before, _ := sizes()
	const asked = 100_000 // within what any user may have; the kernel doubles it for its own needs
	Set(conn, asked, 0)
	if receive, send, lost := sizes(); receive != 2*asked || send != before || lost != 0 {
		t.Errorf("buffers of %d and %d bytes, want %d and %d; %d lost", receive, send, 2*asked, before, lost)
	}
	Set(conn, 0, asked)
	if receive, send, _ := sizes(); receive != 2*asked || send != 2*asked {
		t.Errorf("buffers of %d and %d bytes, want %d", receive, send, 2*asked)
	}
	const flood = 1000
	for range flood {
		conn.WriteTo(make([]byte, 1000), conn.LocalAddr())
	}
	_, _, lost := sizes()
	arrived := 0
	for b := make([]byte, 2000); arrived < flood-int(lost); arrived++ {
		if _, _, err := conn.ReadFrom(b); err != nil {
			t.Fatal(err)
		}
	}
	if lost == 0 || arrived == 0 {
		t.Errorf("%d arrived and %d are lost", arrived, lost)
	}
}
