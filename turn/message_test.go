package turn

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"duet/internal/spin"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// An empty XOR-PEER-ADDRESS as the last attribute made the library slice out of bounds: the process was gone.
func TestEmptyPeerAddressDoesNotCrash(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		s := start(t)
		c := dial(t, s, network)
		c.allocate()
		c.send(unhex(t, "0016000c2112a4420102030405060708090a0b0c"+"0013000401020304"+"00120000"))
		for size := range 20 { // other sizes meet other capacities of the library's copy
			c.send(c.build(methodSend, classIndication, attribute{attrData, make([]byte, size)}, attribute{attrXORPeerAddress, nil}))
			c.send(c.build(methodSend, classIndication, attribute{attrData, make([]byte, size)}, attribute{attrXORPeerAddress, make([]byte, size)}))
		}
		c.mustAsk(methodRefresh)
	}
}

func TestMalformedDatagrams(t *testing.T) {
	s := start(t)
	c := dial(t, s, "udp")
	c.allocate()
	good := c.build(methodRefresh, classRequest)
	for n := range len(good) {
		c.send(good[:n])
	}
	for at := range 40 {
		for _, v := range []byte{0, 1, 0x7f, 0x80, 0xff} {
			bad := append([]byte{}, good...)
			bad[at] = v
			c.send(bad)
		}
	}
	dup := c.build(methodSend, classIndication, attribute{attrData, []byte("1")}, attribute{attrData, []byte("2")})
	c.send(dup)
	many := make([]attribute, maxAttributes+1)
	for i := range many {
		many[i] = attribute{0x8000 + uint16(i), nil}
	}
	c.send(c.build(methodBinding, classRequest, many...))
	eventually(t, "the server answers", func() bool { return c.ask(methodRefresh).code == 0 })
}

// rawMessage builds a message without a client.
func rawMessage(typ uint16, attrs ...attribute) []byte {
	b := binary.BigEndian.AppendUint16(nil, typ)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, magicCookie)
	b = append(b, "transaction!"...)
	for _, a := range attrs {
		b = appendAttribute(b, a.typ, a.value)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize))
	return b
}

func TestParseRefuses(t *testing.T) {
	request := messageType(methodAllocate, classRequest)
	one := func(typ uint16, size int) []byte { return rawMessage(request, attribute{typ, make([]byte, size)}) }
	set := func(b []byte, at int, v ...byte) []byte { copy(b[at:], v); return b }
	peer := func(family byte, size int) []byte {
		return rawMessage(request, attribute{attrXORPeerAddress, append([]byte{0, family}, make([]byte, size-2)...)})
	}
	for _, c := range []struct {
		name string
		b    []byte
		want drop
	}{
		{"nothing", nil, dropShort},
		{"half a header", rawMessage(request)[:19], dropShort},
		{"another cookie", set(rawMessage(request), 4, 0), dropNotSTUN},
		{"another protocol", set(rawMessage(request), 0, 0x16), dropNotSTUN},
		{"longer than it says", append(rawMessage(request), 0, 0, 0, 0), dropLength},
		{"shorter than it says", set(rawMessage(request), 2, 0, 4), dropLength},
		{"odd length", set(append(rawMessage(request), 0), 2, 0, 1), dropLength},
		{"the length that overflows", set(rawMessage(request), 2, 0xff, 0xec), dropLength},
		{"a response", rawMessage(messageType(methodAllocate, classSuccess)), dropClass},
		{"an error response", rawMessage(messageType(methodBinding, classError)), dropClass},
		{"Connect", rawMessage(messageType(0x00a, classRequest)), dropMethod},
		{"Send as a request", rawMessage(messageType(methodSend, classRequest)), dropMethod},
		{"Data from a client", rawMessage(messageType(0x007, classIndication)), dropMethod},
		{"Allocate as an indication", rawMessage(messageType(methodAllocate, classIndication)), dropMethod},
		{"a method of many bits", rawMessage(messageType(0x07f, classRequest)), dropMethod},
		{"a method of more bits", rawMessage(messageType(0xfff, classRequest)), dropNotSTUN},
		{"half an attribute header", set(append(rawMessage(request), 0, 1, 0, 0)[:24], 2, 0, 4, 0x21, 0x12), passed},
		{"an attribute beyond the end", set(one(attrSoftware, 4), 22, 0, 5), dropAttribute},
		{"an attribute far beyond the end", set(one(attrSoftware, 4), 22, 0xff, 0xff), dropAttribute},
		{"an empty peer", one(attrXORPeerAddress, 0), dropAttribute},
		{"a peer of one byte", one(attrXORPeerAddress, 1), dropAttribute},
		{"a peer of three bytes", one(attrXORPeerAddress, 3), dropAttribute},
		{"a peer of family 0", peer(0, 8), dropAttribute},
		{"IPv4 in 20 bytes", peer(1, 20), dropAttribute},
		{"IPv6 in 8 bytes", peer(2, 8), dropAttribute},
		{"IPv4 in 7 bytes", peer(1, 7), dropAttribute},
		{"a short channel", one(attrChannelNumber, 2), dropAttribute},
		{"a long lifetime", one(attrLifetime, 8), dropAttribute},
		{"an empty transport", one(attrRequestedTrans, 0), dropAttribute},
		{"a short family", one(attrRequestedFamily, 1), dropAttribute},
		{"a long EVEN-PORT", one(attrEvenPort, 4), dropAttribute},
		{"a short token", one(attrReservationToken, 7), dropAttribute},
		{"a short integrity", one(attrIntegrity, 19), dropAttribute},
		{"a long DONT-FRAGMENT", one(attrDontFragment, 4), dropAttribute},
		{"a long fingerprint", one(attrFingerprint, 8), dropAttribute},
		{"a long username", one(attrUsername, 514), dropAttribute},
		{"a long realm", one(attrRealm, 764), dropAttribute},
		{"a long nonce", one(attrNonce, 764), dropAttribute},
		{"two usernames", rawMessage(request, attribute{attrUsername, []byte("a")}, attribute{attrUsername, []byte("b")}), dropDuplicate},
		{"two integrities", rawMessage(request, attribute{attrIntegrity, make([]byte, 20)}, attribute{attrIntegrity, make([]byte, 20)}), passed},
		{"two lifetimes", rawMessage(request, lifetime(1), lifetime(2)), dropDuplicate},
		{"two data", rawMessage(request, attribute{attrData, nil}, attribute{attrData, nil}), dropDuplicate},
		{"something after the fingerprint", rawMessage(request, attribute{attrFingerprint, make([]byte, 4)}, lifetime(1)), dropAttribute},
		{"too many attributes", rawMessage(request, make([]attribute, maxAttributes+1)...), dropCount},
	} {
		var m message
		if got := m.parse(bytes.Clone(c.b)); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

const attrSoftware = 0x8022

// withFingerprint adds the attribute that other protocols on the port are told from STUN by.
func withFingerprint(b []byte) []byte {
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize+8))
	return appendAttribute(b, attrFingerprint, binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(b)^0x5354554e))
}

func TestParseReads(t *testing.T) {
	b := rawMessage(messageType(methodChannelBind, classRequest),
		attribute{attrUsername, []byte("user")}, attribute{attrRealm, []byte("realm")}, attribute{attrNonce, []byte("nonce")},
		channelNumber(0x4123), lifetime(700), requestedTransport(protocolUDP), attribute{0x7777, nil},
		attribute{attrIntegrity, make([]byte, 20)}, attribute{attrSoftware, []byte("after")})
	b = withFingerprint(b)
	var m message
	if reason := m.parse(b); reason != passed {
		t.Fatal(reason)
	}
	if string(m.username) != "user" || string(m.realm) != "realm" || string(m.nonce) != "nonce" || m.channel != 0x4123 ||
		m.lifetime != 700 || m.transport != protocolUDP || len(m.unknown) != 1 || m.unknown[0] != 0x7777 {
		t.Errorf("read %+v", m)
	}
	if end := m.integrity + 24; len(m.raw) != end || int(binary.BigEndian.Uint16(m.raw[2:])) != end-headerSize {
		t.Errorf("not cut off behind the integrity: %d bytes, it ends at %d", len(m.raw), end)
	}
}

func TestMessageTypes(t *testing.T) {
	for method := range uint16(0x1000) {
		for _, class := range []uint16{classRequest, classIndication, classSuccess, classError} {
			typ := messageType(method, class)
			if m, c := splitType(typ); m != method || c != class || typ > 0x3fff {
				t.Fatalf("method %#x class %#x became %#x, then %#x and %#x", method, class, typ, m, c)
			}
		}
	}
}

// FuzzParse: what parse lets through is whole and bounded, and parsing it again says the same.
func FuzzParse(f *testing.F) {
	f.Add(rawMessage(messageType(methodBinding, classRequest)))
	f.Add(rawMessage(messageType(methodAllocate, classRequest), requestedTransport(protocolUDP), lifetime(600), attribute{attrSoftware, []byte("Chrome")}))
	f.Add(rawMessage(messageType(methodCreatePermission, classRequest),
		attribute{attrXORPeerAddress, []byte{0, 1, 2, 3, 4, 5, 6, 7}}, attribute{attrUsername, []byte("1700000000:u")},
		attribute{attrRealm, []byte("duet")}, attribute{attrNonce, []byte(strings.Repeat("a", 80))},
		attribute{attrIntegrity, make([]byte, 20)}))
	f.Add(withFingerprint(rawMessage(messageType(methodBinding, classRequest))))
	f.Add(rawMessage(messageType(methodSend, classIndication), attribute{attrXORPeerAddress, make([]byte, 20)}, attribute{attrData, []byte("payload")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		spin.Watch(t)
		var m message
		if m.parse(bytes.Clone(b)) != passed {
			return
		}
		if len(m.raw) < headerSize || len(m.raw)%4 != 0 || int(binary.BigEndian.Uint16(m.raw[2:])) != len(m.raw)-headerSize {
			t.Fatalf("not whole: %x", m.raw)
		}
		if len(m.peers) > maxAttributes || len(m.unknown) > 8 {
			t.Fatalf("%d peers, %d unknown attributes", len(m.peers), len(m.unknown))
		}
		if m.integrity != 0 && m.integrity+24 != len(m.raw) {
			t.Fatalf("integrity at %d does not end %d bytes", m.integrity, len(m.raw))
		}
		for _, p := range m.peers {
			if !p.IsValid() {
				t.Fatal("an invalid peer")
			}
		}
		for at := headerSize; at < len(m.raw); { // what crashed the library
			typ, n := binary.BigEndian.Uint16(m.raw[at:]), int(binary.BigEndian.Uint16(m.raw[at+2:]))
			if typ == attrXORPeerAddress && n != 8 && n != 20 {
				t.Fatalf("a peer of %d bytes", n)
			}
			at += 4 + (n+3)&^3
		}
		var again message
		if reason := again.parse(bytes.Clone(m.raw)); reason != passed || again.method != m.method || len(again.peers) != len(m.peers) {
			t.Fatalf("again: %v", reason)
		}
	})
}

// A message whose FINGERPRINT is wrong is none, and not answered (RFC 8489 section 6.3).
func TestWrongFingerprint(t *testing.T) {
	s := start(t)
	c := dial(t, s, "udp")
	for _, method := range []uint16{methodBinding, methodAllocate} {
		right := withFingerprint(c.build(method, classRequest))
		wrong := bytes.Clone(right)
		wrong[len(wrong)-1] ^= 1
		c.send(wrong)
		c.send(right)
		if in := c.receive(5 * time.Second); in == nil {
			t.Fatal("the right one is not answered")
		}
		c.expectSilence("the wrong one")
	}
	if n := s.stats.dropped[dropFingerprint].Load(); n != 2 {
		t.Errorf("%d are counted, want 2", n)
	}
}
