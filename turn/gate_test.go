package turn

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"

	"duet/internal/spin"
	"duet/internal/udp"
)

// TestAnswers has the codes that the library does not give, or gives wrongly.
func TestAnswers(t *testing.T) {
	s := start(t, func(c *Config, _ *limits) { c.AllowPeers = append(c.AllowPeers, "::1") })
	peer4 := peerAddress(netip.MustParseAddrPort("127.0.0.1:4000"))
	peer6 := peerAddress(netip.MustParseAddrPort("[::1]:4000"))
	family := func(f byte) attribute { return attribute{attrRequestedFamily, []byte{f, 0, 0, 0}} }
	udp := requestedTransport(protocolUDP)
	for _, c := range []struct {
		name      string
		allocated bool
		method    uint16
		attrs     []attribute
		want      int
	}{
		{"no transport", false, methodAllocate, nil, codeBadRequest},
		{"a TCP relay", false, methodAllocate, []attribute{requestedTransport(6)}, codeTransport},
		{"another transport", false, methodAllocate, []attribute{requestedTransport(132)}, codeTransport},
		{"IPv4 by name", false, methodAllocate, []attribute{udp, family(1)}, 0},
		{"IPv6 without an address", false, methodAllocate, []attribute{udp, family(2)}, codeFamily},
		{"an unknown family", false, methodAllocate, []attribute{udp, family(3)}, codeFamily},
		{"an even port", false, methodAllocate, []attribute{udp, {attrEvenPort, []byte{0}}}, 0},
		{"an even port and the next", false, methodAllocate, []attribute{udp, {attrEvenPort, []byte{0x80}}}, 0},
		{"an even port that is reserved", false, methodAllocate,
			[]attribute{udp, {attrEvenPort, []byte{0}}, {attrReservationToken, make([]byte, 8)}}, codeBadRequest},
		{"a reserved port", false, methodAllocate, []attribute{udp, {attrReservationToken, make([]byte, 8)}}, codeCapacity},
		{"a reserved port of a family", false, methodAllocate, []attribute{udp, family(1), {attrReservationToken, make([]byte, 8)}}, codeBadRequest},
		{"DONT-FRAGMENT", false, methodAllocate, []attribute{udp, {attrDontFragment, nil}}, codeUnknownAttribute},
		{"an attribute that must be understood", false, methodAllocate, []attribute{udp, {0x7abc, []byte{1}}}, codeUnknownAttribute},
		{"one that need not", false, methodAllocate, []attribute{udp, {0x8abc, []byte{1}}}, 0},
		{"a second allocation", true, methodAllocate, []attribute{udp}, codeMismatch},
		{"refresh of nothing", false, methodRefresh, nil, codeMismatch},
		{"deletion of nothing", false, methodRefresh, []attribute{lifetime(0)}, codeMismatch},
		{"permission for nothing", false, methodCreatePermission, []attribute{peer4}, codeMismatch},
		{"channel for nothing", false, methodChannelBind, []attribute{channelNumber(0x4000), peer4}, codeMismatch},
		{"refresh", true, methodRefresh, nil, 0},
		{"refresh of the family", true, methodRefresh, []attribute{family(1)}, 0},
		{"refresh of the other family", true, methodRefresh, []attribute{family(2)}, codePeerFamily},
		{"refresh with an attribute that must be understood", true, methodRefresh, []attribute{{0x7abc, nil}}, codeUnknownAttribute},
		{"deletion", true, methodRefresh, []attribute{lifetime(0)}, 0},
		{"permission for nobody", true, methodCreatePermission, nil, codeBadRequest},
		{"permission of the other family", true, methodCreatePermission, []attribute{peer6}, codePeerFamily},
		{"permission for one of both", true, methodCreatePermission, []attribute{peer4, peer6}, codePeerFamily},
		{"permission for one allowed and one not", true, methodCreatePermission,
			[]attribute{peer4, peerAddress(netip.MustParseAddrPort("10.0.0.1:9"))}, codeForbidden},
		{"permission", true, methodCreatePermission, []attribute{peer4}, 0},
		{"channel without a number", true, methodChannelBind, []attribute{peer4}, codeBadRequest},
		{"channel without a peer", true, methodChannelBind, []attribute{channelNumber(0x4000)}, codeBadRequest},
		{"channel to two peers", true, methodChannelBind, []attribute{channelNumber(0x4000), peer4, peer4}, codeBadRequest},
		{"channel to port 0", true, methodChannelBind, []attribute{channelNumber(0x4000), peerAddress(netip.MustParseAddrPort("127.0.0.1:0"))}, codeBadRequest},
		{"channel of the other family", true, methodChannelBind, []attribute{channelNumber(0x4000), peer6}, codePeerFamily},
		{"channel", true, methodChannelBind, []attribute{channelNumber(0x4fff), peer4}, 0},
	} {
		for _, network := range []string{"udp", "tcp"} {
			cl := dial(t, s, network)
			if c.allocated {
				cl.allocate()
			}
			a := cl.ask(c.method, c.attrs...)
			if a.code != c.want {
				t.Errorf("%s over %s: got %d, want %d", c.name, network, a.code, c.want)
			}
			if a.code > 0 {
				checkSigned(t, c.name, cl, a.raw)
			}
			if cl.ask(methodRefresh, lifetime(0)); a.code == codeUnknownAttribute && len(attributeOf(a.raw, attrUnknownAttributes)) != 2 {
				t.Errorf("%s: 420 does not say which: %x", c.name, a.raw)
			}
		}
	}
}

// checkSigned: an answer to who has proved a password is signed, so that nobody can make one up.
func checkSigned(t *testing.T, name string, c *client, raw []byte) {
	t.Helper()
	v := attributeOf(raw, attrIntegrity)
	if v == nil {
		// The library's own refusals come without: RFC 8656 does not demand it, the gate's rewriting adds it.
		t.Errorf("%s: the refusal is not signed", name)
		return
	}
	if want := sign(raw[:len(raw)-24], c.key()); !slices.Equal(v, want) {
		t.Errorf("%s: the signature is wrong", name)
	}
}

func TestBinding(t *testing.T) {
	s := start(t)
	for _, network := range []string{"udp", "tcp"} {
		c := dial(t, s, network)
		a := c.roundTrip(c.build(methodBinding, classRequest))
		local, _ := addrPort(c.conn.LocalAddr())
		if got, ok := xorAddress(attributeOf(a.raw, attrXORMappedAddress), a.raw[8:20]); a.code != 0 || !ok || got.Port() != local.Port() {
			t.Errorf("got %d with %s, want %s", a.code, got, local)
		}
		if a := c.roundTrip(c.build(methodBinding, classRequest, attribute{0x0003, make([]byte, 4)})); a.code != codeUnknownAttribute {
			t.Errorf("CHANGE-REQUEST: got %d, want 420", a.code)
		}
		c.send(c.build(methodBinding, classIndication))
	}
}

// pipeLink is a link in memory: what is sent to in comes to the gate, what the gate writes to out.
type pipeLink struct {
	in   chan []byte
	out  chan []byte
	done chan struct{}
	woke chan struct{}
}

func newPipeLink(sendQueue int) pipeLink {
	return pipeLink{in: make(chan []byte), out: make(chan []byte, sendQueue), done: make(chan struct{}), woke: make(chan struct{}, 1)}
}

var pipeClient = netip.MustParseAddrPort("192.0.2.9:1234")

func (l *pipeLink) read(b []byte) (int, route, error) {
	select {
	case p := <-l.in:
		return copy(b, p), route{client: pipeClient}, nil
	case <-l.woke:
		return 0, route{}, nil
	case <-l.done:
		return 0, route{}, net.ErrClosed
	}
}

func (l *pipeLink) wake() {
	select {
	case l.woke <- struct{}{}:
	default:
	}
}

func (l *pipeLink) write(b []byte, _ route) {
	select {
	case l.out <- bytes.Clone(b):
	default:
	}
}

func (l *pipeLink) close() error { close(l.done); return nil }

func (l *pipeLink) local() net.Addr { return &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 3478} }

func (l *pipeLink) datagrams() bool { return true }

func (l *pipeLink) allocated(bool) {}

func (l *pipeLink) protocol() string { return "udp" }

func (l *pipeLink) sockaddr(route) (none udp.Sockaddr) { return none }

// FuzzGate sends packets from the address of a client that has an allocation, without knowing its password. Nothing
// panics in gate or library, nothing spins or is left without an answer (spin.Watch), and the allocation is the one it was.
func FuzzGate(f *testing.F) {
	cfg := DefaultConfig()
	cfg.Listen, cfg.PublicIP, cfg.RelayPorts, cfg.UnauthenticatedPerIP = "127.0.0.1:0", "127.0.0.1", "none", 1<<30
	cfg.Users = map[string]string{"alice": "wonder"}
	s, err := New(cfg, Deps{Secret: []byte(testSecret)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.close() })

	packet := func(list ...[]byte) []byte {
		var out []byte
		for _, p := range list {
			out = append(binary.BigEndian.AppendUint16(out, uint16(len(p))), p...)
		}
		return out
	}
	c := &client{user: "alice", pass: "wonder", realm: "duet", nonce: "0123456789abcdef"}
	f.Add(packet(c.build(methodBinding, classRequest), c.build(methodBinding, classIndication)))
	f.Add(packet(c.build(methodAllocate, classRequest, requestedTransport(protocolUDP)), c.build(methodRefresh, classRequest, lifetime(0))))
	f.Add(packet(c.build(methodCreatePermission, classRequest, peerAddress(netip.MustParseAddrPort("127.0.0.1:9")))))
	f.Add(packet(c.build(methodChannelBind, classRequest, peerAddress(netip.MustParseAddrPort("[::1]:9")), channelNumber(0x4000))))
	f.Add(packet(c.build(methodSend, classIndication, attribute{attrData, []byte{1, 2, 3, 4}}, attribute{attrXORPeerAddress, nil})))
	f.Add(packet(c.build(methodSend, classIndication, peerAddress(netip.MustParseAddrPort("127.0.0.1:9")), attribute{attrData, []byte("x")})))
	f.Add(packet(channelData(0x4000, "bound"), channelData(0x4001, "not bound"), []byte{0x40, 0, 0xff, 0xfc, 0}))

	f.Fuzz(func(t *testing.T, script []byte) {
		spin.Watch(t)
		link := newPipeLink(64)
		l := &link
		f, err := newGate(s, l)
		if err != nil {
			t.Fatal(err)
		}
		defer f.wait()
		defer l.close()
		c := *c
		c.nonce = ""
		ask := func(method uint16, attrs ...attribute) []byte {
			l.in <- c.build(method, classRequest, attrs...)
			return <-l.out
		}
		c.nonce = string(attributeOf(ask(methodAllocate), attrNonce))
		self, ok := xorAddress(attributeOf(ask(methodAllocate, requestedTransport(protocolUDP)), attrXORRelayedAddress), make([]byte, 12))
		if !ok {
			t.Fatal("no allocation")
		}
		a := f.lookup(pipeClient)
		ask(methodChannelBind, channelNumber(0x4000), peerAddress(netip.AddrPortFrom(self.Addr(), a.relay.Port())))

		for len(script) >= 2 {
			n := min(int(binary.BigEndian.Uint16(script)), len(script)-2)
			l.in <- script[2 : 2+n]
			script = script[2+n:]
		}
		l.in <- nil // taken when the one before is done
		if got := f.lookup(pipeClient); got != a || got.isOver() {
			t.Fatalf("the allocation was %p and is %p", a, got)
		}
		if len(f.allocations) != 1 || len(*a.permissions.Load()) != 1 || len(*a.bindings.Load()) != 1 {
			t.Fatalf("%d allocations, %d permissions, %d channels", len(f.allocations), len(*a.permissions.Load()), len(*a.bindings.Load()))
		}
	})
}
