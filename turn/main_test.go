package turn

// This file has what all tests share: a server on loopback, and clients that speak raw STUN.

import (
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	pion "github.com/pion/turn/v3"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testSecret = "a secret for tests"
	ownUser    = "u_0123456789abcdefABCDEF"
)

// start runs a server on loopback that lets loopback peers be reached, until the test ends.
func start(t testing.TB, change ...func(*Config, *limits)) *Server {
	t.Helper()
	return startWith(t, Deps{}, change...)
}

func startWith(t testing.TB, deps Deps, change ...func(*Config, *limits)) *Server {
	t.Helper()
	cfg, lim := testConfig()
	for _, f := range change {
		f(&cfg, &lim)
	}
	deps.Secret = []byte(testSecret)
	s, err := newServer(cfg, deps, lim)
	if err != nil {
		t.Fatal(err)
	}
	run(t, s)
	return s
}

func testConfig() (Config, limits) {
	cfg, lim := DefaultConfig(), defaultLimits()
	cfg.Listen, cfg.PublicIP, cfg.Permissions = "127.0.0.1:0", "127.0.0.1", "public"
	cfg.AllowPeers = []string{"127.0.0.0/8"}
	cfg.Users = map[string]string{"alice": "wonder", "bob": "builder"}
	cfg.UnauthenticatedPerIP = 100_000
	return cfg, lim
}

func run(t testing.TB, s *Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Run does not end")
		}
	})
}

// client speaks raw STUN over UDP or TCP.
type client struct {
	t          testing.TB
	conn       net.Conn
	user, pass string
	realm      string
	nonce      string
	timeout    time.Duration
}

func dial(t testing.TB, s *Server, network string) *client {
	t.Helper()
	return dialFrom(t, s, network, "127.0.0.1")
}

// dialFrom is dial for a client with an address of its own.
func dialFrom(t testing.TB, s *Server, network, ip string) *client {
	t.Helper()
	udp, tcp := s.Addrs()
	to, from := udp.String(), net.Addr(&net.UDPAddr{IP: net.ParseIP(ip)})
	if network == "tcp" {
		to, from = tcp.String(), &net.TCPAddr{IP: net.ParseIP(ip)}
	}
	conn, err := (&net.Dialer{LocalAddr: from}).Dial(network, to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, conn: conn, user: "alice", pass: "wonder", timeout: 5 * time.Second}
}

func (c *client) send(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads one message, or nil if none comes in time.
func (c *client) receive(timeout time.Duration) []byte {
	c.t.Helper()
	c.conn.SetReadDeadline(time.Now().Add(timeout))
	b := make([]byte, 4096)
	if _, datagrams := c.conn.(*net.UDPConn); datagrams {
		n, err := c.conn.Read(b)
		if err != nil {
			return nil
		}
		return b[:n]
	}
	if _, err := io.ReadFull(c.conn, b[:4]); err != nil {
		return nil
	}
	n := 4 + int(binary.BigEndian.Uint16(b[2:]))
	if b[0] < 4 {
		n += 16
	}
	if _, err := io.ReadFull(c.conn, b[4:(n+3)&^3]); err != nil {
		return nil
	}
	return b[:n]
}

// build makes a message; a request is signed as soon as there is a nonce.
func (c *client) build(method, class uint16, attrs ...attribute) []byte {
	b := binary.BigEndian.AppendUint16(nil, messageType(method, class))
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, magicCookie)
	for range 12 {
		b = append(b, byte(rand.Uint32()))
	}
	for _, a := range attrs {
		if a.typ == attrXORPeerAddress {
			a.value = obfuscate(a.value, b[8:headerSize])
		}
		b = appendAttribute(b, a.typ, a.value)
	}
	return c.finish(b, class == classRequest && method != methodBinding && c.nonce != "")
}

// finish signs b or not, and sets its length.
func (c *client) finish(b []byte, signed bool) []byte {
	if signed {
		b = appendAttribute(b, attrUsername, []byte(c.user))
		b = appendAttribute(b, attrRealm, []byte(c.realm))
		b = appendAttribute(b, attrNonce, []byte(c.nonce))
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize+24))
		b = appendAttribute(b, attrIntegrity, sign(b, c.key()))
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize))
	return b
}

// answer is what came back to a request.
type answer struct {
	code int // 0: success; -1: nothing came
	raw  []byte
}

// roundTrip sends a request, again when nothing comes, and waits for its answer, passing over other traffic.
func (c *client) roundTrip(b []byte) answer {
	c.t.Helper()
	c.send(b)
	want, _ := splitType(binary.BigEndian.Uint16(b))
	for deadline := time.Now().Add(c.timeout); ; {
		in := c.receive(min(500*time.Millisecond, time.Until(deadline)))
		if in == nil && time.Now().After(deadline) {
			return answer{code: -1}
		}
		if _, datagrams := c.conn.(*net.UDPConn); in == nil && datagrams {
			c.send(b) // lost on the way, as datagrams may be
		}
		if len(in) < headerSize || string(in[8:20]) != string(b[8:20]) {
			continue
		}
		method, class := splitType(binary.BigEndian.Uint16(in))
		if method != want {
			c.t.Fatalf("the answer to method %#x is of method %#x: %x", want, method, in)
		}
		a := answer{raw: in}
		if class == classError {
			v := attributeOf(in, attrErrorCode)
			if len(v) < 4 {
				c.t.Fatalf("error answer without a code: %x", in)
			}
			a.code = int(v[2])*100 + int(v[3])
		}
		return a
	}
}

// ask makes a signed request, getting a nonce first and again when it is stale.
func (c *client) ask(method uint16, attrs ...attribute) answer {
	c.t.Helper()
	for try := 0; ; try++ {
		fresh := c.nonce == ""
		a := c.roundTrip(c.build(method, classRequest, attrs...))
		if try == 2 || !c.learn(a) || !fresh && a.code != codeStaleNonce {
			return a
		}
	}
}

// learn keeps the nonce and realm of an answer.
func (c *client) learn(a answer) bool {
	nonce := attributeOf(a.raw, attrNonce)
	if nonce == nil {
		return false
	}
	c.nonce, c.realm = string(nonce), string(attributeOf(a.raw, attrRealm))
	return true
}

func (c *client) mustAsk(method uint16, attrs ...attribute) answer {
	c.t.Helper()
	a := c.ask(method, attrs...)
	if a.code != 0 {
		c.t.Fatalf("method %#x refused with %d", method, a.code)
	}
	return a
}

// allocate makes an allocation and returns the relayed address.
func (c *client) allocate(attrs ...attribute) netip.AddrPort {
	c.t.Helper()
	a := c.mustAsk(methodAllocate, append(attrs, requestedTransport(protocolUDP))...)
	relay, ok := xorAddress(attributeOf(a.raw, attrXORRelayedAddress), a.raw[8:20])
	if !ok {
		c.t.Fatalf("no relayed address in %x", a.raw)
	}
	return relay
}

func (c *client) bind(number uint16, peer netip.AddrPort) {
	c.t.Helper()
	c.mustAsk(methodChannelBind, channelNumber(number), peerAddress(peer))
}

func requestedTransport(p byte) attribute { return attribute{attrRequestedTrans, []byte{p, 0, 0, 0}} }

func lifetime(s uint32) attribute {
	return attribute{attrLifetime, binary.BigEndian.AppendUint32(nil, s)}
}

func channelNumber(n uint16) attribute {
	return attribute{attrChannelNumber, append(binary.BigEndian.AppendUint16(nil, n), 0, 0)}
}

// peerAddress is plain; build does the XOR.
func peerAddress(p netip.AddrPort) attribute {
	family := byte(family4)
	if p.Addr().Is6() {
		family = family6
	}
	v := binary.BigEndian.AppendUint16([]byte{0, family}, p.Port())
	return attribute{attrXORPeerAddress, append(v, p.Addr().AsSlice()...)}
}

// obfuscate does the XOR of an address attribute; what is no address stays.
func obfuscate(v, id []byte) []byte {
	out := append([]byte{}, v...)
	if len(v) != 8 && len(v) != 20 {
		return out
	}
	pad := append(binary.BigEndian.AppendUint32(nil, magicCookie), id...)
	for i := range out[2:] {
		if i < 2 {
			out[2+i] ^= pad[i] // the port
		} else {
			out[2+i] ^= pad[i-2]
		}
	}
	return out
}

func channelData(number uint16, payload string) []byte {
	b := binary.BigEndian.AppendUint16(nil, number)
	b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	b = append(b, payload...)
	for range -len(payload) & 3 {
		b = append(b, 0)
	}
	return b
}

// peer is a plain UDP socket outside the server.
func peer(t testing.TB) (*net.UDPConn, netip.AddrPort) {
	t.Helper()
	return peerOn(t, "127.0.0.1")
}

func peerOn(t testing.TB, ip string) (*net.UDPConn, netip.AddrPort) {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	at := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return conn, netip.AddrPortFrom(canonical(at.Addr()), at.Port())
}

// expectAt reads one datagram at conn and compares it.
func expectAt(t testing.TB, conn *net.UDPConn, want string) netip.AddrPort {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
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

// expectChannel reads one message at the client and compares it.
func (c *client) expectChannel(number uint16, want string) {
	c.t.Helper()
	b := c.receive(5 * time.Second)
	if len(b) < 4 {
		c.t.Fatalf("waiting for %q: nothing", want)
	}
	if got, n := channelHeader(b); got != number || 4+n > len(b) || string(b[4:4+n]) != want {
		c.t.Fatalf("got %x, want %q on channel %#x", b, want, number)
	}
}

// eventually polls until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !cond(); <-time.After(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not in 5 s: " + what)
		}
	}
}

func (a *allocation) awaitEnd(t testing.TB) {
	t.Helper()
	eventually(t, "the library has closed the allocation", a.isClosed)
}

func (c *client) key() []byte { return pion.GenerateAuthKey(c.user, c.realm, c.pass) }
