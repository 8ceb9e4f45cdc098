//go:build !udp_standin

package plane

// Hosts with several addresses.

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"
)

// On a host with several addresses a client hears from the one that it asks: whatever stands between lets nothing else in.
func TestAnswersFromTheAddressThatWasAsked(t *testing.T) {
	conn, err := net.ListenUDP("udp", nil)
	if err != nil {
		t.Fatal(err)
	}
	p := New(conn, conn.LocalAddr(), func() time.Duration { return time.Second })
	done := make(chan error)
	go func() { done <- p.Run() }()
	t.Cleanup(func() {
		_ = p.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	client := socket(t)
	asks := func(local string, request []byte) netip.AddrPort {
		to := netip.AddrPortFrom(netip.MustParseAddr(local), uint16(p.sock.LocalAddr().Port))
		if _, err := client.WriteToUDPAddrPort(request, to); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 1500)
		n, addr, err := p.ReadFromAddrPort(got)
		if err != nil || !bytes.Equal(got[:n], request) {
			t.Fatalf("pion got %x, %v", got[:n], err)
		}
		success := bytes.Clone(request[:20])
		binary.BigEndian.PutUint16(success, stunSuccess)
		binary.BigEndian.PutUint16(success[2:], 0)
		if _, err := p.WriteToAddrPort(success, addr); err != nil {
			t.Fatal(err)
		}
		return arrival(t, client)
	}
	expect := func(what, want string, from netip.AddrPort) {
		t.Helper()
		if got := from.Addr().Unmap().String(); got != want {
			t.Errorf("%s comes from %s, want %s", what, got, want)
		}
	}
	call := p.NewCall()
	leg := p.NewPort(call, 0, func() {})
	t.Cleanup(leg.Close)
	leg.Expect("ufrag1")
	call.SetLeg(0, alice(1))

	const one, two = "127.0.0.2", "127.0.0.3"
	from := asks(one, binding("ufrag1", 1))
	expect("the answer to a check", one, from)
	media := func(want string) {
		t.Helper()
		leg.Send(true, []byte{0x80, 201, 0, 1, 0, 0, 0, 1})
		expect("media", want, arrival(t, client))
		if _, err := p.WriteToAddrPort([]byte{22, 0xfe, 0xfd}, client.LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
			t.Fatal(err)
		}
		expect("a handshake", want, arrival(t, client))
	}
	if err := leg.Activate(greeting(10), client.LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
		t.Fatal(err)
	}
	media(one)
	from = asks(two, binding("ufrag1", 2))
	expect("the answer to a check of another pair", two, from)
	media(one) // which the client has not chosen
	chosen := append(binding("ufrag1", 3), 0, 0x25, 0, 0)
	binary.BigEndian.PutUint16(chosen[2:], uint16(len(chosen)-20))
	from = asks(two, chosen)
	expect("the answer to the check of the chosen pair", two, from)
	media(two)
}

func arrival(t *testing.T, c *net.UDPConn) netip.AddrPort {
	t.Helper()
	b := make([]byte, 1500)
	_ = c.SetReadDeadline(time.Now().Add(patience))
	_, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		t.Fatal(err)
	}
	return from
}
