//go:build !udp_standin

package udp

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// lossless is for outboxes that lose nothing.
func lossless(t testing.TB) func(error, int) {
	return func(err error, n int) { t.Errorf("%d datagrams are lost: %v", n, err) }
}

// burst puts frames for two clients into a fresh outbox, in runs of one size and of several, and reads what arrives.
func burst(t *testing.T, prepare func(o *Outbox)) *Outbox {
	t.Helper()
	for _, network := range []string{"udp4", "udp"} {
		s := listen(t, network, Options{Local: true})
		o := NewOutbox(s, 192, true, lossless(t))
		prepare(o)
		var conns [2]*net.UDPConn
		var to [2]*Sockaddr
		for i := range to {
			conn, addr := peer(t)
			sa := NewSockaddr(addr, netip.Addr{}, s.inet6)
			if i == 1 {
				sa = NewSockaddr(addr, netip.MustParseAddr("127.0.0.1"), s.inet6)
			}
			conns[i], to[i] = conn, &sa
		}
		var want [2][]string
		put := func(i, size int) {
			text := fmt.Sprintf("%d %0*d", i, size, len(want[i]))
			want[i] = append(want[i], text)
			o.Add(to[i], []byte(text))
		}
		for i := range 2 {
			for range 70 {
				put(i, 100) // more than fits into one
			}
			put(i, 50)  // shorter, still of the run
			put(i, 50)  // not of the run any more
			put(i, 200) // longer
		}
		for range 10 {
			put(0, 10)
			put(1, 10)
		}
		packets, bytes := o.Flush()
		if o.n != 0 {
			t.Errorf("%d frames left", o.n)
		}
		for i, conn := range conns {
			for _, text := range want[i] {
				expectAt(t, conn, text)
				packets--
				bytes -= len(text)
			}
		}
		if packets != 0 || bytes != 0 {
			t.Errorf("%d packets and %d bytes more were counted than came", packets, bytes)
		}
		if t.Failed() || network == "udp" {
			return o
		}
	}
	return nil
}

func TestOutboxSends(t *testing.T) {
	if o := burst(t, func(*Outbox) {}); !o.gso {
		t.Error("this kernel has no UDP GSO, or it was given up")
	}
}

func TestOutboxWithoutGSO(t *testing.T) { burst(t, func(o *Outbox) { o.gso = false }) }

// What does not fit lets the others go first.
func TestOutboxOverflows(t *testing.T) {
	s := listen(t, "udp4", Options{})
	o := NewOutbox(s, 4, true, lossless(t))
	conn, addr := peer(t)
	for i := range 10 {
		o.AddTo(addr, []byte(fmt.Sprint("frame ", i)))
	}
	if packets, bytes := o.Flush(); packets != 10 || bytes != 70 {
		t.Errorf("%d packets and %d bytes went out, want 10 and 70", packets, bytes)
	}
	for i := range 10 {
		expectAt(t, conn, fmt.Sprint("frame ", i))
	}
	o.AddTo(addr, []byte("forgotten"))
	o.Discard()
	if packets, _ := o.Flush(); packets != 0 {
		t.Errorf("%d packets went out after all was forgotten", packets)
	}
}

// A socket without checksums is refused segmentation, as is a card that cannot compute them: everything is sent all the same.
func TestOutboxFallsBack(t *testing.T) {
	o := burst(t, func(o *Outbox) {
		if err := unix.SetsockoptInt(o.s.fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, 1); err != nil {
			t.Fatal(err)
		}
	})
	if o.badGSO == 0 {
		t.Error("segmentation was not refused: the test shows nothing")
	}
}

// One client that cannot be reached costs the others nothing.
func TestOutboxPassesOverTheUnreachable(t *testing.T) {
	s := listen(t, "udp4", Options{})
	lost := 0
	o := NewOutbox(s, 192, true, func(_ error, n int) { lost += n })
	conn, addr := peer(t)
	good, bad := s.Sockaddr(addr, netip.Addr{}), s.Sockaddr(netip.MustParseAddrPort("127.0.0.1:0"), netip.Addr{})
	other := s.Sockaddr(netip.MustParseAddrPort("[::1]:9"), netip.Addr{}) // of the other family
	for i := range 6 {
		o.Add(&bad, []byte("lost"))
		o.Add(&other, []byte("lost"))
		o.Add(&good, []byte(fmt.Sprint("arrives ", i)))
	}
	if packets, bytes := o.Flush(); packets != 6 || bytes != 54 {
		t.Errorf("%d packets and %d bytes are counted as sent, want 6 and 54", packets, bytes)
	}
	for i := range 6 {
		expectAt(t, conn, fmt.Sprint("arrives ", i))
	}
	if lost != 12 {
		t.Errorf("%d counted as unreachable, want 12", lost)
	}
}
