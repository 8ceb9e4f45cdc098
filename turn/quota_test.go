package turn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestRate(t *testing.T) {
	const half = int64(time.Second / 2)
	r := rate{perSecond: 1000}
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
	if !(&rate{}).take(1<<30, at) {
		t.Error("no limit refuses")
	}
	small := rate{perSecond: 10}
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
	first := connect("rest")
	for _, c := range []*client{first, connect("rest"), connect("other"), connect("alice")} {
		if got := code(c); got != 0 {
			t.Fatalf("within the quota: got %d", got)
		}
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
	s.accounts.mu.Lock()
	defer s.accounts.mu.Unlock()
	if n := len(s.accounts.users); n != 3 {
		t.Errorf("%d accounts, want 3", n)
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

	a := newAccounts(Config{AllocationsPerIP: 1})
	u := a.enter(identity{user: "a"}, netip.MustParseAddr("2001:db8::1"))
	for ip, want := range map[string]int{"2001:db8::ffff:0:0:1": codeQuota, "2001:db8:0:1::1": 0} {
		if got, _ := a.admits(identity{user: "b"}, netip.MustParseAddr(ip)); got != want {
			t.Errorf("from %s beside 2001:db8::1: got %d, want %d", ip, got, want)
		}
	}
	if a.leave(u, netip.MustParseAddr("2001:db8::1")); a.byIP.Len() != 0 || len(a.users) != 0 {
		t.Errorf("left behind: %v, %v", a.byIP, a.users)
	}
}

// A user who sends too much loses packets, a neighbour does not.
func TestTrafficQuota(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.UserPPS = 20 })
	greedy, modest := dial(t, s, "udp").own(s, "greedy"), dial(t, s, "udp").own(s, "modest")
	greedy.allocate()
	modest.allocate()
	outside, addr := peer(t)
	greedy.bind(0x4000, addr)
	modest.bind(0x4000, addr)
	for i := range 200 {
		greedy.send(channelData(0x4000, fmt.Sprint("greedy ", i)))
	}
	greedy.mustAsk(methodRefresh) // requests pass
	modest.send(channelData(0x4000, "modest"))
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

func TestPorts(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.RelayPorts = "49500-49509" })
	taken := map[uint16]bool{}
	for range 10 {
		c := dial(t, s, "udp")
		a := c.ask(methodAllocate, requestedTransport(protocolUDP))
		if a.code == codeCapacity { // another program has one of them
			continue
		}
		relay, _ := xorAddress(attributeOf(a.raw, attrXORRelayedAddress), a.raw[8:20])
		if p := relay.Port(); p < 49500 || p > 49509 || taken[p] {
			t.Errorf("port %d, outside or taken", p)
		}
		taken[relay.Port()] = true
	}
	if got := dial(t, s, "udp").ask(methodAllocate, requestedTransport(protocolUDP)).code; got != codeCapacity {
		t.Errorf("all taken: got %d, want 508", got)
	}
}

// A port that another program has is not given out.
func TestTakenPortIsPassedOver(t *testing.T) {
	conn, addr := peer(t)
	s := start(t, func(c *Config, _ *limits) { c.RelayPorts = fmt.Sprintf("%d-%d", addr.Port(), addr.Port()) })
	if got := dial(t, s, "udp").ask(methodAllocate, requestedTransport(protocolUDP)).code; got != codeCapacity {
		t.Errorf("got %d, want 508", got)
	}
	conn.Close()
	dial(t, s, "udp").allocate()
}

// Without relay ports nothing outside is reached.
func TestNoRelayPorts(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.RelayPorts = "none" })
	c := dial(t, s, "udp")
	c.allocate()
	if got := c.ask(methodCreatePermission, peerAddress(netip.MustParseAddrPort("127.0.0.2:9"))).code; got != codeForbidden {
		t.Errorf("got %d, want 403", got)
	}
}

func TestIPv6Relay(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.PublicIP, c.AllowPeers = "127.0.0.1,::1", []string{"::1", "127.0.0.0/8"} })
	v6 := attribute{attrRequestedFamily, []byte{2, 0, 0, 0}}
	a, b, v4 := dial(t, s, "udp"), dial(t, s, "tcp"), dial(t, s, "udp")
	atA, atB, at4 := a.allocate(v6), b.allocate(v6), v4.allocate()
	if !atA.Addr().Is6() || !atB.Addr().Is6() || !at4.Addr().Is4() {
		t.Fatalf("relays %s, %s, %s", atA, atB, at4)
	}
	a.bind(0x4000, atB)
	b.bind(0x4000, atA)
	a.send(channelData(0x4000, "memory"))
	b.expectChannel(0x4000, "memory")
	outside, addr := peerOn(t, "::1")
	a.bind(0x4001, addr)
	a.send(channelData(0x4001, "socket"))
	if from := expectAt(t, outside, "socket"); from != atA {
		t.Errorf("from %s, want %s", from, atA)
	}
	outside.WriteToUDPAddrPort([]byte("back"), atA)
	a.expectChannel(0x4001, "back")
	if got := a.ask(methodCreatePermission, peerAddress(netip.MustParseAddrPort("127.0.0.1:9"))).code; got != codePeerFamily {
		t.Errorf("an IPv4 peer: got %d, want 443", got)
	}
	if got := v4.ask(methodCreatePermission, peerAddress(addr)).code; got != codePeerFamily {
		t.Errorf("an IPv6 peer: got %d, want 443", got)
	}
}

func TestTwoSecrets(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.Secret, c.SecretPrevious = "the newer secret", "the older secret" })
	name := fmt.Sprint(time.Now().Add(time.Hour).Unix(), ":somebody")
	for secret, want := range map[string]int{"the newer secret": 0, "the older secret": 0, testSecret: codeUnauthorized} {
		c := dial(t, s, "udp")
		c.user, c.pass = name, password([]byte(secret), name)
		if got := c.ask(methodAllocate, requestedTransport(protocolUDP)).code; got != want {
			t.Errorf("%s: got %d, want %d", secret, got, want)
		}
	}
}

func TestIdleAllocationsEnd(t *testing.T) {
	s := start(t, func(_ *Config, l *limits) { l.housekeeping, l.idle = 20*time.Millisecond, 2*time.Second })
	idle, busy := dial(t, s, "udp"), dial(t, s, "udp")
	a, b := s.relays.lookup(idle.allocate()), s.relays.lookup(busy.allocate())
	_, addr := peer(t)
	busy.bind(0x4000, addr)
	for !a.isClosed() {
		busy.send(channelData(0x4000, "x"))
		<-time.After(10 * time.Millisecond)
	}
	if b.isOver() {
		t.Error("the busy one has ended too")
	}
}

func selfSigned(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestTLS(t *testing.T) {
	cfg, lim := testConfig()
	cfg.TLSListen, lim.firstFrame = "127.0.0.1:0", 3*time.Second
	if _, err := New(cfg, Deps{Secret: []byte(testSecret)}); err == nil || !strings.Contains(err.Error(), "turn.tls_listen") {
		t.Errorf("without a certificate: %v", err)
	}
	s, err := newServer(cfg, Deps{Secret: []byte(testSecret), TLS: &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}}, lim)
	if err != nil {
		t.Fatal(err)
	}
	run(t, s)
	conn, err := tls.Dial("tcp", s.tls.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &client{t: t, conn: conn, user: "alice", pass: "wonder", timeout: 5 * time.Second}
	c.allocate()
	outside, addr := peer(t)
	c.bind(0x4000, addr)
	c.send(channelData(0x4000, "tls"))
	from := expectAt(t, outside, "tls")
	outside.WriteToUDPAddrPort([]byte("back"), from)
	c.expectChannel(0x4000, "back")
	if n := s.relays.countByTransport()[[2]string{"tls", "ipv4"}]; n != 1 {
		t.Errorf("%d allocations over TLS, want 1", n)
	}
	urls, _, _, _ := s.ICEServers(ownUser, "example.org")
	_, port, _ := net.SplitHostPort(s.tls.Addr().String())
	if want := "turns:example.org:" + port + "?transport=tcp"; urls[len(urls)-1] != want {
		t.Errorf("got %q, want %q at the end", urls, want)
	}

	silent, err := net.Dial("tcp", s.tls.Addr().String()) // no handshake
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	silent.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := silent.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("a connection without handshake: %v, want an end", err)
	}
	c.mustAsk(methodRefresh)
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	cfg := DefaultConfig()
	cfg.Listen, cfg.PublicIP = "127.0.0.1:0", "127.0.0.1"
	s, err := New(cfg, Deps{Secret: []byte(testSecret), Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.stats.drop(dropBudget)
	s.stats.refuse(codeQuota)
	s.stats.up[pathFast].add(1200)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetValue())
			}
			got[f.GetName()+" "+strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"duet_turn_drops_total budget": 1, "duet_turn_refusals_total 486": 1, "duet_turn_packets_total up fast": 1,
		"duet_turn_quota_refusals_total turn.allocations_per_ip": 0, "duet_turn_bytes_total up fast": 1200, "duet_turn_bytes_total down fast": 0, "duet_turn_allocations ipv4 udp": 0,
		"duet_turn_receive_drops_total ": 0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s: got %v, want %v", name, v, want)
		}
	}
	if _, err := New(cfg, Deps{Secret: []byte(testSecret), Metrics: registry}); err == nil {
		t.Error("registered twice")
	}
}

func TestValidateReportsAll(t *testing.T) {
	c := Config{
		Enabled: true, Listen: "3478", Realm: "a:b", Secret: "short", SecretPrevious: "short", PublicIP: "example.org",
		RelayPorts: "1-2-3", AllowPeers: []string{"nonsense"}, Users: map[string]string{"a:b": "", "c": ""}, Permissions: "some",
		UserAllocations: -1, AllocationsPerIP: -1, TotalAllocations: -1, UserBytesPerSecond: 1, UserPPS: -1, TotalBytesPerSecond: 1, TotalPPS: -1, IdleTimeout: time.Second,
		TLSListen: "x", Listeners: -1,
	}
	err := c.Validate()
	for _, key := range []string{
		"listen", "realm", "secret", "secret_previous", "public_ip", "relay_ports", "allow_peers", "users", "permissions", "credential_ttl",
		"unauthenticated_per_ip", "user_allocations", "allocations_per_ip", "total_allocations", "user_bytes_per_second", "user_pps", "total_bytes_per_second", "total_pps", "idle_timeout", "tls_listen", "listeners",
	} {
		if err == nil || !strings.Contains(err.Error(), "turn."+key+":") {
			t.Errorf("no fault names turn.%s", key)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for _, ok := range []string{"", "192.0.2.1", "2001:db8::1", "192.0.2.1, 2001:db8::1"} {
		c := DefaultConfig()
		c.PublicIP = ok
		if err := c.Validate(); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
}

// lines is a log that a test reads line by line.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// TestLogOfAnAllocation: one line when it ends, which says whose it was and what went through it, and no secret.
func TestLogOfAnAllocation(t *testing.T) {
	log := make(lines, 100)
	s := startWith(t, Deps{Log: slog.New(slog.NewTextHandler(log, nil))})
	c := dial(t, s, "udp")
	relay := c.allocate()
	outside, addr := peer(t)
	c.bind(0x4000, addr)
	c.send(channelData(0x4000, "12345"))
	expectAt(t, outside, "12345")
	c.mustAsk(methodRefresh, lifetime(0))
	line := <-log
	for _, want := range []string{"user=static:alice", "client=" + c.conn.LocalAddr().String(), "relay=" + relay.String(), "packets_up=1", "bytes_up=5", "packets_down=0"} {
		if !strings.Contains(line, want) {
			t.Errorf("got no %q in %s", want, line)
		}
	}
	for _, secret := range []string{c.pass, c.nonce, testSecret} {
		if strings.Contains(line, secret) {
			t.Errorf("%q is in %s", secret, line)
		}
	}
	if len(log) > 0 {
		t.Errorf("there is more: %s", <-log)
	}
}
