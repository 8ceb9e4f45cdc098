package turn

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	const half = int64(time.Second / 2)
	r := gcra{perSecond: 1000}
	at := int64(time.Hour)
	passed := func(n int, now int64) (sum int) {
		for range 3000 / n {
			if r.take(n, now) {
				sum += n
			}
		}
		return sum
	}
	if got := passed(100, at); got != 1000 {
		t.Errorf("%d at once, want a second's worth", got)
	}
	if got := passed(100, at+half); got != 500 {
		t.Errorf("%d half a second later, want 500", got)
	}
	if got := passed(100, 2*at); got != 1000 {
		t.Errorf("%d after a pause, want 1000", got)
	}
	if !(&gcra{}).take(1<<30, at) {
		t.Error("no limit refuses")
	}
	small := gcra{perSecond: 10}
	if !small.take(1500, at) {
		t.Error("a packet larger than a second's worth never passes")
	}
}

func TestQuotas(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.UserAllocations, c.TotalAllocations = 2, 5 })
	connect := func(user string) *client {
		c := dial(t, s, "udp")
		if user != "alice" {
			c.own(s, user)
		}
		return c
	}
	code := func(c *client) int { return c.ask(methodAllocate, requestedTransport(protocolUDP)).code }
	_, addr := peer(t)
	first := connect("rest")
	for _, c := range []*client{first, connect("rest"), connect("other"), connect("alice")} {
		if got := code(c); got != 0 {
			t.Fatalf("within the quota: got %d", got)
		}
		c.open("indication", 0, addr)
		c.say("indication", 0, addr, "in use") // else it would give way
		c.mustAsk(methodRefresh)
	}
	if got := code(connect("rest")); got != codeQuota {
		t.Errorf("one too many of a user: got %d, want 486", got)
	}
	if got := code(connect("alice")); got != 0 {
		t.Errorf("another of a static user: got %d", got)
	}
	if got := code(connect("third")); got != codeCapacity {
		t.Errorf("one too many in all: got %d, want 508", got)
	}
	first.mustAsk(methodRefresh, lifetime(0))
	if got := code(connect("rest")); got != 0 {
		t.Errorf("after one has ended: got %d", got)
	}
	s.quotas.mu.Lock()
	defer s.quotas.mu.Unlock()
	if n := len(s.quotas.users); n != 2 {
		t.Errorf("%d users of ours, want 2", n)
	}
	for key, want := range map[string]uint64{boundUser: 1, boundTotal: 1, boundIP: 0} {
		if got := s.stats.bounds[key].Load(); got != want {
			t.Errorf("%d refusals for %s, want %d", got, key, want)
		}
	}
}

// Somebody with many names is bounded by the address, and takes nothing from others.
func TestAllocationsOfOneAddressAreBounded(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.Listen, c.AllocationsPerIP = ":0", 3 })
	from := func(ip, user string) *client {
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)}, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(s.port())})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return (&client{t: t, conn: conn, user: "alice", pass: "wonder", timeout: 5 * time.Second}).own(s, user)
	}
	first := from("127.0.0.2", "a")
	for _, c := range []*client{first, from("127.0.0.2", "b"), from("127.0.0.2", "c"), from("127.0.0.3", "a")} {
		c.allocate()
	}
	refused := from("127.0.0.2", "d")
	if got := refused.ask(methodAllocate, requestedTransport(protocolUDP)).code; got != codeQuota {
		t.Errorf("one too many from an address: got %d, want 486", got)
	}
	if got := s.stats.bounds[boundIP].Load(); got != 1 {
		t.Errorf("%d refusals are counted, want 1", got)
	}
	first.mustAsk(methodRefresh, lifetime(0))
	refused.allocate()

	a := newQuotas(Config{AllocationsPerIP: 1}, true)
	booked := new(allocation)
	u := a.enter(identity{user: "a"}, netip.MustParseAddr("2001:db8::1"), booked, 1)
	for ip, want := range map[string]int{"2001:db8::ffff:0:0:1": codeQuota, "2001:db8:0:1::1": 0} {
		if got, _ := a.admits(identity{user: "b"}, netip.MustParseAddr(ip), 1); got != want {
			t.Errorf("from %s beside 2001:db8::1: got %d, want %d", ip, got, want)
		}
	}
	if a.leave(u, netip.MustParseAddr("2001:db8::1"), booked); a.byIP.Len() != 0 || len(a.users) != 0 {
		t.Errorf("left behind: %v, %v", a.byIP, a.users)
	}
}

// A user who sends too much loses packets, a neighbour does not.
func TestTrafficQuota(t *testing.T) {
	for _, way := range ways {
		t.Run(way, func(t *testing.T) { trafficQuota(t, way) })
	}
}

func trafficQuota(t *testing.T, way string) {
	s := start(t, func(c *Config, _ *limits) { c.UserPPS = 20 })
	greedy, modest := dial(t, s, "udp").own(s, "greedy"), dial(t, s, "udp").own(s, "modest")
	greedy.allocate()
	modest.allocate()
	outside, addr := peer(t)
	greedy.open(way, 0x4000, addr)
	modest.open(way, 0x4000, addr)
	for i := range 200 {
		greedy.say(way, 0x4000, addr, fmt.Sprint("greedy ", i))
	}
	greedy.mustAsk(methodRefresh) // requests pass
	modest.say(way, 0x4000, addr, "modest")
	n := 0
	for b := make([]byte, 100); ; n++ {
		outside.SetReadDeadline(time.Now().Add(5 * time.Second))
		k, _, err := outside.ReadFromUDP(b)
		if err != nil {
			t.Fatal("the neighbour's packet did not come")
		}
		if string(b[:k]) == "modest" {
			break
		}
	}
	if n < 20 || n > 100 {
		t.Errorf("%d packets of 200 passed, want about 20", n)
	}
}

// Of other software's names nobody knows how many people are behind one: they do not share one person's quota.
func TestSharedNames(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.UserBytesPerSecond, c.UserAllocations = 20_000, 4 })
	outside, addr := peer(t)
	var people [8]*client
	for i := range people {
		c := dial(t, s, "udp")
		c.user, c.pass = s.credentials.issue("conference", time.Now().Add(time.Hour+time.Duration(i)*time.Second))
		c.allocate()
		c.bind(0x4000, addr)
		people[i] = c
	}
	big := string(make([]byte, 1000))
	for range 40 { // 2 s worth
		people[0].send(channelData(0x4000, big))
	}
	people[0].mustAsk(methodRefresh)
	people[1].send(channelData(0x4000, "the other one's"))
	n := 0
	for b := make([]byte, 2000); ; n++ {
		outside.SetReadDeadline(time.Now().Add(5 * time.Second))
		k, _, err := outside.ReadFromUDP(b)
		if err != nil {
			t.Fatal("the other one's packet is lost")
		}
		if string(b[:k]) == "the other one's" {
			break
		}
	}
	if n > 25 {
		t.Errorf("%d packets of 40 passed, want about 20", n)
	}
}

// Of a user whose clients are gone without a word the allocation gives way that has been silent for the longest time.
func TestSilentAllocationsGiveWay(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.UserAllocations = 3 })
	outside, addr := peer(t)
	var all [3]*allocation
	for i := range all {
		c := dial(t, s, "udp").own(s, ownUser)
		all[i] = s.relays.lookup(c.allocate())
		if i != 1 {
			c.bind(0x4000, addr)
			c.send(channelData(0x4000, "in use"))
			expectAt(t, outside, "in use")
		}
		c.conn.Close() // the network is gone; nobody can say Refresh 0
	}
	code := func() int {
		return dial(t, s, "udp").own(s, ownUser).ask(methodAllocate, requestedTransport(protocolUDP)).code
	}
	if got := code(); got != 0 || !all[1].isOver() {
		t.Fatalf("got %d; the one that nothing was sent from has ended: %t", got, all[1].isOver())
	}
	all[1].awaitEnd(t)
	all[2].lastSent.Add(-int64(goneAfter)) // half a minute passes for one
	if got := code(); got != 0 {           // that of the last round
		t.Fatalf("got %d", got)
	}
	if got := code(); got != 0 {
		t.Fatalf("got %d", got)
	}
	if all[0].isOver() {
		t.Error("one that is in use has ended")
	}
}

// Many streams that ask at once get no more than one alone would.
func TestQuotaHoldsForManyGates(t *testing.T) {
	q := newQuotas(Config{UserAllocations: 8}, true)
	who := identity{user: ownName("a"), id: "a"}
	var taken atomic.Int32
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if q.enter(who, netip.MustParseAddr("192.0.2.1"), new(allocation), 1) != nil {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if n := taken.Load(); n != 8 {
		t.Errorf("%d allocations of 8", n)
	}
}
