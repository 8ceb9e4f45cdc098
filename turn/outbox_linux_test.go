package turn

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// burst puts frames for two clients into a fresh outbox, in runs of one size and of several, and reads what arrives.
func burst(t *testing.T, prepare func(o *outbox)) *outbox {
	t.Helper()
	for _, network := range []string{"udp4", "udp"} {
		fd, family, _, err := openUDP(network, map[string]string{"udp4": "127.0.0.1:0", "udp": ":0"}[network], false, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		o := newOutbox(fd, newStats())
		prepare(o)
		var conns [2]*net.UDPConn
		var to [2]*allocation
		for i := range to {
			conn, addr := peer(t)
			conns[i], to[i] = conn, &allocation{sockaddr: makeSockaddr(addr, family)}
			if i == 1 {
				to[i].sockaddr.control = makeControl(netip.MustParseAddr("127.0.0.1"), family)
			}
		}
		var want [2][]string
		put := func(i, size int) {
			text := fmt.Sprintf("%d %0*d", i, size, len(want[i]))
			want[i] = append(want[i], text)
			o.add(to[i], []byte(text))
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
		o.flush()
		if o.n != 0 {
			t.Errorf("%d frames left", o.n)
		}
		for i, conn := range conns {
			for _, text := range want[i] {
				expectAt(t, conn, text)
			}
		}
		if t.Failed() || network == "udp" {
			return o
		}
	}
	return nil
}

func TestOutboxSends(t *testing.T) {
	if o := burst(t, func(*outbox) {}); !o.gso {
		t.Error("this kernel has no UDP GSO, or it was given up")
	}
}

func TestOutboxWithoutGSO(t *testing.T) { burst(t, func(o *outbox) { o.gso = false }) }

// A socket without checksums is refused segmentation, as is a card that cannot compute them: everything is sent all the same.
func TestOutboxFallsBack(t *testing.T) {
	o := burst(t, func(o *outbox) {
		if err := unix.SetsockoptInt(o.fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, 1); err != nil {
			t.Fatal(err)
		}
	})
	if o.badGSO == 0 {
		t.Error("segmentation was not refused: the test shows nothing")
	}
	if o.stats.dropped[dropUnreachable].Load() != 0 {
		t.Error("frames were dropped")
	}
}

// One client that cannot be reached costs the others nothing.
func TestOutboxPassesOverTheUnreachable(t *testing.T) {
	fd, family, _, err := openUDP("udp4", "127.0.0.1:0", false, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	o := newOutbox(fd, newStats())
	conn, addr := peer(t)
	good := &allocation{sockaddr: makeSockaddr(addr, family)}
	bad := &allocation{sockaddr: makeSockaddr(netip.MustParseAddrPort("127.0.0.1:0"), family)}
	for i := range 6 {
		o.add(bad, []byte("lost"))
		o.add(good, []byte(fmt.Sprint("arrives ", i)))
	}
	o.flush()
	for i := range 6 {
		expectAt(t, conn, fmt.Sprint("arrives ", i))
	}
	if n := o.stats.dropped[dropUnreachable].Load(); n != 6 {
		t.Errorf("%d counted as unreachable, want 6", n)
	}
}
