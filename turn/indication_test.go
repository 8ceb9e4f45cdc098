package turn

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v2"

	"duet/internal/spin"
)

// TestWaysMeet: whatever way two clients have, over every pair of transports, payloads arrive in the receiver's way and none
// of them through the library.
func TestWaysMeet(t *testing.T) {
	for _, nets := range [][2]string{{"udp", "udp"}, {"udp", "tcp"}, {"tcp", "udp"}, {"tcp", "tcp"}} {
		for _, wayA := range ways {
			for _, wayB := range ways {
				s := start(t)
				a, b := dial(t, s, nets[0]), dial(t, s, nets[1])
				atA, atB := a.allocate(), b.allocate()
				a.open(wayA, 0x4000, atB)
				b.open(wayB, 0x4001, atA)
				for i := range 20 {
					text := fmt.Sprint("a packet with number ", i)[:5+i%8]
					a.say(wayA, 0x4000, atB, text)
					b.hear(wayB, 0x4001, atA, text)
					b.say(wayB, 0x4001, atA, text)
					a.hear(wayA, 0x4000, atB, text)
				}
				if sum := s.traffic(); sum.up[pathFast].packets.Load() != 40 || sum.down[pathFast].packets.Load() != 40 || sum.up[pathLibrary].packets.Load() != 0 {
					t.Errorf("%v, %s and %s: not all packets went around the library", nets, wayA, wayB)
				}
			}
		}
	}
}

// A client that has bound a channel gets ChannelData however its peer sends, also through the library (RFC 8656 section 11.3).
func TestIndicationToABoundClient(t *testing.T) {
	s := start(t)
	a, b := dial(t, s, "udp"), dial(t, s, "udp")
	atA, atB := a.allocate(), b.allocate()
	a.bind(0x4000, atB)
	b.mustAsk(methodCreatePermission, peerAddress(atA))
	for _, more := range [][]attribute{nil, {{attrDontFragment, nil}}} {
		b.send(b.build(methodSend, classIndication, append(more, peerAddress(atA), attribute{attrData, []byte("hello")})...))
		a.expectChannel(0x4000, "hello")
	}
	outside, addr := peer(t)
	a.bind(0x4001, addr)
	outside.WriteToUDPAddrPort([]byte("hello"), atA)
	a.expectChannel(0x4001, "hello")
}

// What a Send indication may look like, and which of it needs the library.
func TestFormsOfIndications(t *testing.T) {
	s := start(t)
	outside, addr := peer(t)
	c := dial(t, s, "udp")
	c.allocate()
	c.mustAsk(methodCreatePermission, peerAddress(addr))
	to, data := peerAddress(addr), attribute{attrData, []byte("hello")}
	build := func(attrs ...attribute) []byte { return c.build(methodSend, classIndication, attrs...) }
	padded := build(to, data)
	copy(padded[len(padded)-3:], "xyz") // padding may have any value
	broken := withFingerprint(build(to, data))
	broken[len(broken)-1] ^= 1
	for _, form := range []struct {
		name     string
		b        []byte
		way      path // paths: it goes nowhere
		reason   drop
		received string
	}{
		{"as usual", build(to, data), pathSocket, passed, "hello"},
		{"data first", build(data, to), pathSocket, passed, "hello"},
		{"padding that is not zero", padded, pathSocket, passed, "hello"},
		{"attributes that need not be known", build(attribute{attrSoftware, []byte("Firefox")}, data, attribute{0xC001, nil}, to), pathSocket, passed, "hello"},
		{"a fingerprint", withFingerprint(build(to, data)), pathSocket, passed, "hello"},
		{"nothing in it", build(to, attribute{attrData, nil}), pathSocket, passed, ""},
		{"not to be cut", build(attribute{attrDontFragment, nil}, to, data), pathLibrary, passed, "hello"},
		{"a wrong fingerprint", broken, paths, dropFingerprint, ""},
		{"something that must be known", build(attribute{0x7777, nil}, to, data), paths, dropAttribute, ""},
		{"two peers", build(to, to, data), paths, dropAttribute, ""},
		{"no peer", build(data), paths, dropAttribute, ""},
		{"no data", build(to), paths, dropAttribute, ""},
		{"data twice", build(to, data, data), paths, dropDuplicate, ""},
		{"no permission", build(peerAddress(netip.MustParseAddrPort("127.9.9.9:9")), data), paths, dropNoPermission, ""},
	} {
		before := [paths]uint64{}
		for p := range paths {
			before[p] = s.traffic().up[p].packets.Load()
		}
		dropped := s.stats.dropped[form.reason].Load()
		c.send(form.b)
		if form.way == paths {
			eventually(t, form.name+" is counted as "+form.reason.String(), func() bool { return s.stats.dropped[form.reason].Load() == dropped+1 })
		} else {
			expectAt(t, outside, form.received)
			eventually(t, form.name+" is counted", func() bool { return s.traffic().up[form.way].packets.Load() == before[form.way]+1 })
		}
		for p := range paths {
			if n := s.traffic().up[p].packets.Load(); p != form.way && n != before[p] {
				t.Errorf("%s went by %s", form.name, p)
			}
		}
	}
}

// A client that sends to ever new ports is served like others.
func TestManyDestinations(t *testing.T) {
	s := start(t)
	c := dial(t, s, "udp")
	c.allocate()
	c.mustAsk(methodCreatePermission, peerAddress(netip.MustParseAddrPort("127.0.0.1:9")))
	for range 2 {
		for i := range 3 * maxDestinations {
			outside, addr := peer(t)
			c.say("indication", 0, addr, fmt.Sprint("to ", i))
			expectAt(t, outside, fmt.Sprint("to ", i))
			outside.Close()
		}
	}
}

// FuzzSend holds what is read from Send indications around the library against what the library reads, packet by packet.
func FuzzSend(f *testing.F) {
	c := &client{}
	to, data := peerAddress(netip.MustParseAddrPort("192.0.2.7:4000")), attribute{attrData, []byte("hello")}
	for _, attrs := range [][]attribute{
		{to, data}, {data, to}, {peerAddress(netip.MustParseAddrPort("[2001:db8::1]:4000")), data}, {attribute{attrDontFragment, nil}, to, data},
		{to, {attrData, nil}}, {to, to, data}, {data}, {to, data, {attrSoftware, []byte("x")}}, {to, {0x7777, nil}, data}, {{attrXORPeerAddress, nil}, data},
	} {
		f.Add(c.build(methodSend, classIndication, attrs...))
		f.Add(withFingerprint(c.build(methodSend, classIndication, attrs...)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		spin.Watch(t)
		got, ok := parseSend(b)
		var m message
		reason := m.parse(bytes.Clone(b))
		plain := reason == passed && m.method == methodSend && len(m.peers) == 1 && len(m.unknown) == 0 && m.has&^(hasData|hasFingerprint) == 0 && m.carries(hasData)
		if ok && !plain {
			t.Fatalf("%+v is read from what the gate would not let pass: %v, %+v", got, reason, m)
		}
		if !ok {
			if plain && onlyOptional(b) {
				t.Fatal("an ordinary one is left to the library")
			}
			return
		}
		library := &stun.Message{Raw: bytes.Clone(b)}
		each(library.Raw, func(typ uint16, v []byte) {
			if typ == attrXORPeerAddress {
				v[0] = 0 // the byte that RFC 8489 section 14.1 has receivers ignore, and which the library does not
			}
		})
		if err := library.Decode(); err != nil {
			t.Fatalf("%+v is read from what the library cannot: %v", got, err)
		}
		var peer stun.XORMappedAddress
		if err := peer.GetFromAs(library, stun.AttrXORPeerAddress); err != nil {
			t.Fatal(err)
		}
		payload, err := library.Get(stun.AttrData)
		if err != nil {
			t.Fatal(err)
		}
		ip, _ := netip.AddrFromSlice(peer.IP)
		if want := netip.AddrPortFrom(canonical(ip), uint16(peer.Port)); got.peer != want || !bytes.Equal(b[got.at:got.at+got.n], payload) {
			t.Fatalf("got %s and %x, the library %s and %x", got.peer, b[got.at:got.at+got.n], want, payload)
		}
	})
}

// onlyOptional says that an indication has nothing besides peer and data that must be understood.
func onlyOptional(b []byte) bool {
	only := true
	each(b, func(typ uint16, _ []byte) {
		only = only && (typ >= 0x8000 || typ == attrXORPeerAddress || typ == attrData)
	})
	return only
}

// each goes through the attributes of a message that has been parsed.
func each(b []byte, do func(typ uint16, v []byte)) {
	for at := headerSize; at < len(b); {
		n := int(binary.BigEndian.Uint16(b[at+2:]))
		do(binary.BigEndian.Uint16(b[at:]), b[at+4:at+4+n])
		at += 4 + (n+3)&^3
	}
}

// FuzzData: the library reads from a Data indication what was written into it, wherever the payload lies.
func FuzzData(f *testing.F) {
	f.Add([]byte("hello"), []byte{192, 0, 2, 7}, uint16(4000), byte(0))
	f.Add([]byte{}, bytes.Repeat([]byte{0x20}, 16), uint16(1), byte(24))
	f.Fuzz(func(t *testing.T, payload, address []byte, port uint16, before byte) {
		spin.Watch(t)
		ip, ok := netip.AddrFromSlice(address)
		if ip = canonical(ip); !ok || len(payload) > maxPacket {
			return
		}
		at := headroom + int(before)
		buf := append(make([]byte, at, at+len(payload)+tailroom), payload...)
		m := &stun.Message{Raw: dataIndication(buf, at, len(payload), netip.AddrPortFrom(ip, port))}
		if err := m.Decode(); err != nil {
			t.Fatal(err)
		}
		var from stun.XORMappedAddress
		got, err := m.Get(stun.AttrData)
		if e := from.GetFromAs(m, stun.AttrXORPeerAddress); err != nil || e != nil {
			t.Fatal(err, e)
		}
		addr, _ := netip.AddrFromSlice(from.IP)
		if canonical(addr) != ip || from.Port != int(port) || !bytes.Equal(got, payload) || m.Type != stun.NewType(stun.MethodData, stun.ClassIndication) {
			t.Fatalf("the library reads %s, %d and %x", addr, from.Port, got)
		}
	})
}

// A payload that comes right behind the request that lets it pass is forwarded, and in its place.
func TestPayloadRightBehindItsRequest(t *testing.T) {
	for _, way := range ways {
		s := start(t)
		for i := range 40 {
			a, b := dial(t, s, "udp"), dial(t, s, "udp")
			atA, atB := a.allocate(), b.allocate()
			b.mustAsk(methodCreatePermission, peerAddress(atA))
			ask := a.build(methodCreatePermission, classRequest, peerAddress(atB))
			if way == "channel" {
				ask = a.build(methodChannelBind, classRequest, channelNumber(0x4000), peerAddress(atB))
			}
			a.send(ask)
			for j := range 8 {
				a.say(way, 0x4000, atB, fmt.Sprint(i, " ", j))
			}
			for j := range 8 {
				b.hear("indication", 0, atA, fmt.Sprint(i, " ", j))
			}
			if in := a.receive(5 * time.Second); in == nil || in[0] != 1 {
				t.Fatalf("the request was answered with %x", in)
			}
		}
	}
}
