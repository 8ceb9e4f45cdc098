package bench

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestSocketStandsForManyClients(t *testing.T) {
	clients, err := ListenUDP(netip.MustParseAddrPort("0.0.0.0:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer clients.Close()
	server, err := ListenUDP(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()

	const n = 3 * batch / 2
	want := map[netip.Addr]string{}
	for i := range n {
		from := netip.AddrFrom4([4]byte{127, 9, byte(i >> 8), byte(i + 1)})
		r := NewRoute(from, server.Local())
		want[from] = fmt.Sprintf("packet %d", i)
		copy(clients.Queue(&r, len(want[from])), want[from])
	}
	clients.Flush()
	collect(t, server, n, func(p *Packet) {
		if got := string(p.Data); got != want[p.From.Addr()] {
			t.Errorf("from %s came %q, want %q", p.From, got, want[p.From.Addr()])
		}
		if age := time.Since(time.Unix(0, p.At)); age < 0 || age > time.Minute {
			t.Errorf("taken in %v ago", age)
		}
		// Back to where it came from.
		r := NewRoute(netip.Addr{}, p.From)
		copy(server.Queue(&r, len(p.Data)), bytes.ToUpper(p.Data))
	})
	server.Flush()
	collect(t, clients, n, func(p *Packet) {
		if got := string(bytes.ToLower(p.Data)); got != want[p.To] || p.From != server.Local() {
			t.Errorf("at %s came %q from %s, want %q", p.To, got, p.From, want[p.To])
		}
	})
	if clients.Lost()+server.Lost() != 0 {
		t.Errorf("lost %d and %d", clients.Lost(), server.Lost())
	}
}

func collect(t *testing.T, s *Socket, n int, each func(*Packet)) {
	t.Helper()
	got := 0
	for deadline := time.Now().Add(10 * time.Second); got < n && time.Now().Before(deadline); {
		WaitReadable(100*time.Millisecond, s)
		m, err := s.Receive(each)
		if err != nil {
			t.Fatal(err)
		}
		got += m
	}
	if got != n {
		t.Fatalf("%d datagrams came, want %d", got, n)
	}
}
