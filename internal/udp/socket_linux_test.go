//go:build !udp_standin

package udp

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

func TestBuffersAndLoss(t *testing.T) {
	sizes := func(s *Socket) (receive, send int) {
		receive, _ = unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
		send, _ = unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
		return receive, send
	}
	plainReceive, plainSend := sizes(listen(t, "udp4", Options{}))
	const asked = 100_000 // within what any user may have; the kernel doubles it for its own needs
	if receive, send := sizes(listen(t, "udp4", Options{Send: asked})); receive != plainReceive || send != 2*asked {
		t.Errorf("buffers of %d and %d bytes, want %d and %d", receive, send, plainReceive, 2*asked)
	}
	s := listen(t, "udp4", Options{Receive: asked})
	if receive, send := sizes(s); receive != 2*asked || send != plainSend || s.Lost() != 0 {
		t.Errorf("buffers of %d and %d bytes, want %d and %d; %d lost", receive, send, 2*asked, plainSend, s.Lost())
	}
	from, _ := peer(t)
	const flood = 1000
	for range flood {
		from.WriteToUDPAddrPort(make([]byte, 1000), at(s))
	}
	lost, arrived := s.Lost(), 0
	for in := NewInbox(64, 1200, 0, 1200); ; {
		in.Free()
		_, n, err := s.Receive(in, 64)
		if err != nil {
			break
		}
		arrived += n
	}
	if lost == 0 || arrived == 0 || arrived+int(lost) != flood {
		t.Errorf("of %d %d arrived and %d are lost", flood, arrived, lost)
	}
	if !s.Close() || s.Close() || s.Lost() != lost {
		t.Errorf("%d are lost once it is closed, want %d as before", s.Lost(), lost)
	}
}

// A socket on all addresses says which one a datagram was sent to, and answers from there.
func TestAnswersFromTheAddressThatWasAsked(t *testing.T) {
	for network, address := range map[string]string{"udp4": "0.0.0.0:0", "udp": ":0"} {
		s, err := Listen(network, address, Options{Local: true, Times: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		out, in := NewOutbox(s, 8, true, lossless(t)), NewInbox(8, 1500, 4, 1500)
		for _, local := range []string{"127.0.0.1", "127.0.0.2", "::1"} {
			asked := netip.AddrPortFrom(netip.MustParseAddr(local), uint16(s.LocalAddr().Port))
			if asked.Addr().Is6() && network == "udp4" {
				continue
			}
			client, err := net.ListenUDP("udp", nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { client.Close() })
			client.WriteToUDPAddrPort([]byte("ask"), asked)
			if n, err := s.Wait(in); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			if in.To(0) != asked.Addr() || in.Time(0) == 0 || string(in.Packet(0)) != "ask" || len(in.Frame(0)) != 7 {
				t.Errorf("at %s, taken in at %d, came %q, want %s", in.To(0), in.Time(0), in.Packet(0), asked.Addr())
			}
			to := s.Sockaddr(in.From(0), in.To(0))
			if err := s.Send([]byte("at once"), &to); err != nil {
				t.Error(err)
			}
			out.Add(&to, []byte("gathered"))
			out.Add(&to, []byte("gathered"))
			out.Flush()
			for _, want := range []string{"at once", "gathered", "gathered"} {
				if from := expectAt(t, client, want); netip.AddrPortFrom(from.Addr().Unmap(), from.Port()) != asked {
					t.Errorf("%s was asked, and %q came from %s", asked, want, from)
				}
			}
		}
		s.Leave()
	}
}

func TestSharedPort(t *testing.T) {
	first := listen(t, "udp4", Options{ReusePort: true})
	second, err := Listen("udp4", first.LocalAddr().String(), Options{ReusePort: true})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	in := NewInbox(64, 100, 0, 100)
	for i := range 64 { // from a port each, of which about half go to either
		client, _ := peer(t)
		client.WriteToUDPAddrPort([]byte(fmt.Sprint(i)), at(first))
	}
	_, n, err1 := first.Receive(in, 64)
	_, m, err2 := second.Receive(in, 64)
	if err1 != nil || err2 != nil || n+m != 64 {
		t.Errorf("%d and %d came (%v, %v), want 64 together", n, m, err1, err2)
	}
}
