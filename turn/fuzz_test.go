package turn

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"duet/internal/spin"
)

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
func (l *pipeLink) close() error                   { close(l.done); return nil }
func (l *pipeLink) local() net.Addr                { return &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 3478} }
func (l *pipeLink) datagrams() bool                { return true }
func (l *pipeLink) allocated(bool)                 {}
func (l *pipeLink) protocol() string               { return "udp" }
func (l *pipeLink) sockaddr(route) (none sockaddr) { return none }

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
		if len(f.allocations) != 1 || len(a.permissions) != 1 || len(*a.bindings.Load()) != 1 {
			t.Fatalf("%d allocations, %d permissions, %d channels", len(f.allocations), len(a.permissions), len(*a.bindings.Load()))
		}
	})
}

// cutConn is a connection whose bytes come in pieces.
type cutConn struct {
	net.Conn
	r    bytes.Reader
	size int
}

func (c *cutConn) Read(b []byte) (int, error)      { return c.r.Read(b[:min(len(b), c.size)]) }
func (c *cutConn) SetReadDeadline(time.Time) error { return nil }

// FuzzStream: framing does not depend on where the stream is cut, gives whole frames of bounded size, and ends.
func FuzzStream(f *testing.F) {
	c := &client{}
	f.Add(append(c.build(methodBinding, classRequest), channelData(0x4000, "abcde")...), byte(1))
	f.Add(append(channelData(0x4fff, ""), channelData(0x4001, "x")...), byte(3))
	f.Add([]byte("\x00\x03\xff\xec\x21\x12\xa4\x42aaaaaaaaaaaa"), byte(7))
	f.Add([]byte("\x40\x00\xff\xfc\x00\x00\x00\x00\x00"), byte(2))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), byte(200))
	f.Fuzz(func(t *testing.T, input []byte, cut byte) {
		spin.Watch(t)
		whole, cutUp := frames(t, input, len(input)+1), frames(t, input, int(cut)+1)
		if len(whole) != len(cutUp) {
			t.Fatalf("%d frames, in pieces %d", len(whole), len(cutUp))
		}
		taken := 0
		for i, b := range whole {
			if !bytes.Equal(b, cutUp[i]) {
				t.Fatalf("frame %d is %x, in pieces %x", i, b, cutUp[i])
			}
			if len(b) < 4 || len(b) > maxFrame || b[0]&0xC0 == 0xC0 {
				t.Fatalf("frame of %d bytes beginning with %x", len(b), b[0])
			}
			if !bytes.Equal(input[taken:taken+len(b)], b) {
				t.Fatalf("frame %d is not what came", i)
			}
			taken += (len(b) + 3) &^ 3
		}
	})
}

func frames(t *testing.T, input []byte, size int) (out [][]byte) {
	conn := &cutConn{size: size}
	conn.r.Reset(input)
	l := newStream(conn, pipeClient, &limits{}, newStats())
	for b := make([]byte, 1600); ; {
		n, _, err := l.read(b)
		if err != nil {
			if rest, _ := io.ReadAll(l.r); len(out)*4 > len(input)-len(rest) {
				t.Fatal("more frames than bytes for them")
			}
			return out
		}
		out = append(out, bytes.Clone(b[:n]))
	}
}
