//go:build linux

// Impairments, each measured; the bounds are wide, as the machine has other work.

package natlab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"
)

// A line is a host on an impaired link and an echo on the internet.
type line struct {
	lab    *Lab
	host   *Host
	sock   *net.UDPConn // on the host
	server *net.UDPConn
	to     netip.AddrPort
}

func newLine(t *testing.T, s Spec, opts ...LinkOption) *line {
	t.Helper()
	lab := New(t)
	far := lab.Network(Open).Host("far")
	l := &line{lab: lab, host: lab.Network(s).Host("near", opts...)}
	var err error
	if l.server, err = far.ListenUDP("0.0.0.0:7000"); err != nil {
		t.Fatal(err)
	}
	if l.sock, err = l.host.ListenUDP("0.0.0.0:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.sock.Close(); l.server.Close() })
	l.to = netip.AddrPortFrom(far.Addr(), 7000)
	return l
}

// echo sends n datagrams at a distance and returns the round trip times of those that came back within wait of the last.
func (l *line) echo(t *testing.T, n int, gap, wait time.Duration) []time.Duration {
	t.Helper()
	stop := make(chan struct{})
	var both sync.WaitGroup
	both.Add(2)
	_ = l.server.SetReadDeadline(time.Time{})
	go func() {
		defer both.Done()
		buf := make([]byte, 1500)
		for {
			k, from, err := l.server.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = l.server.WriteToUDPAddrPort(buf[:k], from)
		}
	}()
	sent := make([]time.Time, n)
	var mu sync.Mutex
	var rtts []time.Duration
	all := make(chan struct{})
	go func() {
		defer both.Done()
		buf := make([]byte, 1500)
		for {
			_, _, err := l.sock.ReadFromUDPAddrPort(buf)
			if err != nil {
				select {
				case <-stop:
					return
				default:
					if errors.Is(err, net.ErrClosed) {
						return
					}
					continue // an ICMP error
				}
			}
			mu.Lock()
			rtts = append(rtts, time.Since(sent[binary.BigEndian.Uint32(buf)]))
			if len(rtts) == n {
				close(all)
			}
			mu.Unlock()
		}
	}()
	_ = l.sock.SetReadDeadline(time.Time{})
	msg := make([]byte, 200)
	pace := time.NewTicker(gap)
	defer pace.Stop()
	for i := range n {
		binary.BigEndian.PutUint32(msg, uint32(i))
		mu.Lock()
		sent[i] = time.Now()
		mu.Unlock()
		_, _ = l.sock.WriteToUDPAddrPort(msg, l.to)
		<-pace.C
	}
	select {
	case <-all:
	case <-time.After(wait):
	}
	close(stop)
	_ = l.sock.SetReadDeadline(time.Now())
	_ = l.server.SetReadDeadline(time.Now())
	both.Wait()
	slices.Sort(rtts)
	return rtts
}

func TestLoss(t *testing.T) {
	t.Parallel()
	l := newLine(t, Home)
	const n = 1000
	for _, c := range []struct {
		up, down float64
		low, top int // percent of round trips lost
	}{
		{0, 0, 0, 0},
		{5, 5, 6, 15},
		{20, 0, 14, 27},
		{0, 20, 14, 27},
		{100, 0, 100, 100},
	} {
		l.host.Link().Impair(Up, Impairment{Loss: c.up})
		l.host.Link().Impair(Down, Impairment{Loss: c.down})
		got := 100 * (n - len(l.echo(t, n, 500*time.Microsecond, 100*time.Millisecond))) / n
		if got < c.low || got > c.top {
			t.Errorf("loss up %v, down %v: %d %% of round trips lost, want %d to %d", c.up, c.down, got, c.low, c.top)
		}
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	l := newLine(t, Home)
	for _, d := range []Direction{Up, Down} {
		l.host.Link().Impair(Up, Impairment{})
		l.host.Link().Impair(Down, Impairment{})
		l.host.Link().Impair(d, Impairment{Rate: 1000, Queue: 400 * time.Millisecond})
		got, last := l.flood(t, d)
		if got < 700 || got > 1200 {
			t.Errorf("direction %d: %d kbit/s, want about 1000", d, got)
		}
		// Bufferbloat: what is sent into a full queue waits as long as the queue is.
		// (A busy machine sends late, and then the queue is never full: any wait far beyond an empty one's will do.)
		if last < 50*time.Millisecond || last > 900*time.Millisecond {
			t.Errorf("direction %d: the queue holds %v, want about 400ms", d, last)
		}
	}
	l.host.Link().ImpairBoth(Impairment{})
	if got, _ := l.flood(t, Up); got < 2000 {
		t.Errorf("unimpaired again: %d kbit/s, want all that was sent", got)
	}
}

// flood sends 3 Mbit/s for a second, and measures what arrives and how old the last of it is.
func (l *line) flood(t *testing.T, d Direction) (kbits int, age time.Duration) {
	t.Helper()
	if _, err := l.sock.WriteToUDPAddrPort([]byte("open"), l.to); err != nil {
		t.Fatal(err)
	}
	_ = l.server.SetReadDeadline(time.Now().Add(time.Second))
	_, near, err := l.server.ReadFromUDPAddrPort(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	from, to, addr := l.sock, l.server, l.to
	if d == Down {
		from, to, addr = l.server, l.sock, near
	}
	start := time.Now()
	go func() {
		msg := make([]byte, 1200)
		pace := time.NewTicker(3200 * time.Microsecond)
		defer pace.Stop()
		for time.Since(start) < time.Second {
			binary.BigEndian.PutUint64(msg, uint64(time.Since(start)))
			_, _ = from.WriteToUDPAddrPort(msg, addr)
			<-pace.C
		}
	}()
	bytes, buf := 0, make([]byte, 1500)
	var last time.Duration
	for {
		_ = to.SetReadDeadline(time.Now().Add(700 * time.Millisecond))
		k, _, err := to.ReadFromUDPAddrPort(buf)
		if err != nil {
			break
		}
		now := time.Since(start)
		age = now - time.Duration(binary.BigEndian.Uint64(buf))
		if bytes += k + 42; now > 300*time.Millisecond {
			last = now
		}
	}
	if last == 0 {
		return 0, 0
	}
	return int(float64(bytes) * 8 / 1000 / last.Seconds()), age
}

func TestDelay(t *testing.T) {
	t.Parallel()
	l := newLine(t, Home, WithDelay())
	for _, c := range []struct{ up, down, jitter time.Duration }{
		{0, 0, 0},
		{100 * time.Millisecond, 100 * time.Millisecond, 0},
		{0, 50 * time.Millisecond, 0},
		{20 * time.Millisecond, 20 * time.Millisecond, 60 * time.Millisecond},
	} {
		l.host.Link().Impair(Up, Impairment{Delay: c.up, Jitter: c.jitter})
		l.host.Link().Impair(Down, Impairment{Delay: c.down})
		rtts := l.echo(t, 50, 10*time.Millisecond, time.Second)
		if len(rtts) != 50 {
			t.Fatalf("%+v: %d of 50 came back", c, len(rtts))
		}
		fixed := c.up + c.down
		if low, mid := rtts[0], rtts[25]; low < fixed || mid > fixed+c.jitter+60*time.Millisecond {
			t.Errorf("%+v: round trips from %v, median %v", c, low, mid)
		}
		if c.jitter > 0 && rtts[45]-rtts[0] < c.jitter/4 {
			t.Errorf("%+v: round trips from %v to %v hardly differ", c, rtts[0], rtts[45])
		}
	}
}

func TestDelayedTCP(t *testing.T) {
	t.Parallel()
	lab := New(t)
	server := lab.Network(Open).Host("server")
	echoTCP(t, server, 443)
	h := lab.Network(Home).Host("near", WithDelay())
	h.Link().ImpairBoth(Impairment{Delay: 10 * time.Millisecond})
	c, err := h.Dial(t.Context(), "tcp", netip.AddrPortFrom(server.Addr(), 443).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	go func() { _, _ = c.Write(want) }() // a failure shows in what comes back
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	got := make([]byte, 0, len(want))
	for buf := make([]byte, 32<<10); len(got) < len(want); {
		k, err := c.Read(buf)
		if err != nil {
			t.Fatalf("after %d of %d bytes: %v", len(got), len(want), err)
		}
		got = append(got, buf[:k]...)
	}
	if !bytes.Equal(got, want) {
		t.Error("the echo differs from what was sent")
	}
}

func TestCuts(t *testing.T) {
	for _, opts := range [][]LinkOption{nil, {WithDelay()}} {
		t.Run(map[bool]string{true: "plain", false: "box"}[opts == nil], func(t *testing.T) {
			t.Parallel()
			l := newLine(t, Home, opts...)
			link := l.host.Link()
			for _, c := range []struct {
				name     string
				set      func()
				up, down bool
				carrier  bool
			}{
				{"whole", func() {}, true, true, true},
				{"up cut", func() { link.Cut(Up, true) }, false, true, true},
				{"down cut", func() { link.Cut(Up, false); link.Cut(Down, true) }, true, false, true},
				{"silent", func() { link.Silence(true) }, false, false, true},
				{"healed", func() { link.Silence(false) }, true, true, true},
				{"no carrier", func() { link.Carrier(false) }, false, false, false},
				{"carrier back", func() { link.Carrier(true) }, true, true, true},
			} {
				c.set()
				if got := l.carrier(c.carrier); got != c.carrier {
					t.Errorf("%s: carrier %v, want %v", c.name, got, c.carrier)
				}
				up, down := l.ways(c.up, c.down)
				if up != c.up || down != c.down {
					t.Errorf("%s: up %v, down %v, want %v, %v", c.name, up, down, c.up, c.down)
				}
			}
		})
	}
}

// ways says in which directions datagrams pass, trying for longer where they should.
func (l *line) ways(wantUp, wantDown bool) (up, down bool) {
	near := netip.AddrPortFrom(l.host.Public(), l.sock.LocalAddr().(*net.UDPAddr).AddrPort().Port()) // the port is kept
	pass := func(from, to *net.UDPConn, addr netip.AddrPort, want bool) bool {
		end := time.Now().Add(300 * time.Millisecond)
		if want {
			end = time.Now().Add(5 * time.Second)
		}
		for buf := make([]byte, 16); time.Now().Before(end); {
			_, _ = from.WriteToUDPAddrPort([]byte("x"), addr) // ENETUNREACH without carrier
			_ = to.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
			if _, _, err := to.ReadFromUDPAddrPort(buf); err == nil {
				// Nothing of this direction may be left for the next question.
				for err == nil {
					_ = to.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
					_, _, err = to.ReadFromUDPAddrPort(buf)
				}
				return true
			}
		}
		return false
	}
	return pass(l.sock, l.server, l.to, wantUp), pass(l.server, l.sock, near, wantDown)
}

func (l *line) carrier(want bool) bool {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		if l.host.ns.isRunning(l.host.Link().dev) == want {
			return want
		}
	}
	return !want
}

func TestAddressChanges(t *testing.T) {
	t.Parallel()
	lab := New(t)
	r := lab.Reflector()
	home := lab.Network(Home)
	h := home.Host("a")
	probe := func() Behaviour {
		b, err := r.Probe(h)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	old := h.Addr()
	h.Renumber()
	if h.Addr() == old {
		t.Errorf("renumbered to the same %v", old)
	}
	if b := probe(); b.Public.Addr() != home.Public() {
		t.Errorf("renumbered: seen as %v, want %v", b.Public, home.Public())
	}
	h.Roam(lab.Network(Mobile), WithDelay())
	if b := probe(); b.Public.Addr() != h.Public() || b.Public.Addr() == home.Public() || b.Mapping != AddressAndPort {
		t.Errorf("on the road: %+v, want %v and a symmetric NAT", b, h.Public())
	}
	h.Roam(lab.Network(DualStack))
	if b := probe(); b.Public.Addr() != h.Public() || !h.Addr6().IsValid() {
		t.Errorf("home again: %+v, want %v, and IPv6 %v", b, h.Public(), h.Addr6())
	}
}
