package turn

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// deniedRanges is written out again on purpose: the rules are not tested with their own tables.
var deniedRanges = []string{
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
	"168.63.129.16/32", "100.100.100.200/32", "169.254.169.254/32", "192.0.0.192/32",
	"::/128", "::1/128", "::/8", "100::/64", "200::/7", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2001::/23",
	"2001:db8::/32", "2002::/16", "3fff::/20", "4000::/3", "5f00::/16", "8000::/1", "fc00::/7", "fd00:ec2::254/128",
	"fd20:ce::254/128", "fe80::/10", "fec0::/10", "ff00::/8",
}

// spellings are all the ways to write an IPv4 address that some stack takes for it.
func spellings(a netip.Addr) []netip.Addr {
	if !a.Is4() {
		return []netip.Addr{a}
	}
	v4 := a.As4()
	put := func(prefix string, at int) netip.Addr {
		b := netip.MustParseAddr(prefix).As16()
		copy(b[at:], v4[:])
		return netip.AddrFrom16(b)
	}
	return []netip.Addr{a, put("::ffff:0:0", 12), put("::", 12), put("64:ff9b::", 12), put("64:ff9b:1::", 12), put("2002::", 2)}
}

func ends(p netip.Prefix) []netip.Addr {
	last := p.Addr().AsSlice()
	for i := range last {
		for bit := range 8 {
			if i*8+bit >= p.Bits() {
				last[i] |= 0x80 >> bit
			}
		}
	}
	a, _ := netip.AddrFromSlice(last)
	return []netip.Addr{p.Masked().Addr(), a}
}

func TestDeniedRanges(t *testing.T) {
	sink, err := net.ListenUDP("udp", &net.UDPAddr{}) // every address of this machine
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	port := uint16(sink.LocalAddr().(*net.UDPAddr).Port)
	s := start(t, func(c *Config, _ *limits) { c.AllowPeers, c.PublicIP = nil, "203.0.113.7,2001:db8::7" })
	c4, c6 := dial(t, s, "udp"), dial(t, s, "udp")
	c4.allocate()
	c6.allocate(attribute{attrRequestedFamily, []byte{family6, 0, 0, 0}})
	channel := uint16(0x4000)
	for _, r := range deniedRanges {
		for _, edge := range ends(netip.MustParsePrefix(r)) {
			for _, spelled := range spellings(edge) {
				at := peerAddress(netip.AddrPortFrom(spelled, port))
				for _, c := range []*client{c4, c6} {
					want := codeForbidden
					if spelled.Is4In6() || spelled.Is4() != (c == c4) {
						want = codePeerFamily
					}
					if a := c.ask(methodCreatePermission, at); a.code != want {
						t.Errorf("CreatePermission for %s of %s: got %d, want %d", spelled, r, a.code, want)
					}
					if a := c.ask(methodChannelBind, channelNumber(channel), at); a.code != want {
						t.Errorf("ChannelBind to %s of %s: got %d, want %d", spelled, r, a.code, want)
					}
					c.send(c.build(methodSend, classIndication, at, attribute{attrData, []byte("x")}))
					c.send(channelData(channel, "x"))
				}
			}
		}
	}
	c4.mustAsk(methodRefresh) // all of it is handled
	c6.mustAsk(methodRefresh)
	sink.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, from, err := sink.ReadFromUDP(make([]byte, 100)); err == nil {
		t.Errorf("%d bytes from %s arrived", n, from)
	}
}

func TestReachable(t *testing.T) {
	p := func(allow ...string) *policy {
		list, err := parseAllow(allow)
		if err != nil {
			t.Fatal(err)
		}
		p := newPolicy(list, []netip.Addr{netip.MustParseAddr("198.51.100.1")}, false)
		p.own.Store(&map[netip.Addr]bool{netip.MustParseAddr("10.1.2.3"): true, netip.MustParseAddr("fd00::3"): true, netip.MustParseAddr("8.8.4.4"): true})
		p.listeners[3478] = true
		return p
	}
	for _, c := range []struct {
		name  string
		allow []string
		peer  string
		want  bool
	}{
		{"a public address", nil, "1.1.1.1:5000", true},
		{"a public IPv6 address", nil, "[2606:4700::1111]:5000", true},
		{"any port of it", nil, "1.1.1.1:0", true},
		{"a port of a service that reflects", nil, "1.1.1.1:53", false},
		{"another", nil, "[2606:4700::1111]:161", false},
		{"HTTPS over UDP", nil, "1.1.1.1:443", true},
		{"such a port, allowed", []string{"1.1.1.1"}, "1.1.1.1:53", true},
		{"a private address, allowed", []string{"10.0.0.0/8"}, "10.9.9.9:5000", true},
		{"a port of a service in an allowed range", []string{"10.0.0.0/8"}, "10.9.9.9:53", false},
		{"HTTPS over UDP there", []string{"10.0.0.0/8"}, "10.9.9.9:443", true},
		{"such a port of one address", []string{"10.9.9.9"}, "10.9.9.9:53", true},
		{"own address in an allowed range", []string{"10.0.0.0/8", "10.1.0.0/16"}, "10.1.2.3:5000", false},
		{"own address in a range of IPv6", []string{"fd00::/8"}, "[fd00::3]:5000", false},
		{"own address in a range, with another's named", []string{"10.0.0.0/8", "10.1.2.4"}, "10.1.2.3:5000", false},
		{"own address, named alone", []string{"10.1.2.3"}, "10.1.2.3:5000", true},
		{"own listener, named alone", []string{"10.1.2.3"}, "10.1.2.3:3478", false},
		{"a port of a service on loopback", []string{"127.0.0.0/8"}, "127.0.0.1:53", false},
		{"a public address in an allowed range", []string{"0.0.0.0/0"}, "1.1.1.1:53", false},
		{"own public address in an allowed range", []string{"0.0.0.0/0"}, "8.8.4.4:5000", false},
		{"beside it", []string{"10.0.0.0/16"}, "10.9.9.9:5000", false},
		{"one address, allowed", []string{"10.9.9.9"}, "10.9.9.9:5000", true},
		{"spelled as a mapped one", []string{"::ffff:10.9.9.9"}, "10.9.9.9:5000", true},
		{"everything, allowed", []string{"0.0.0.0/0"}, "192.168.1.1:5000", true},
		{"does not open loopback", []string{"0.0.0.0/0"}, "127.0.0.1:5000", false},
		{"nor link-local", []string{"0.0.0.0/0"}, "169.254.169.254:5000", false},
		{"nor multicast", []string{"0.0.0.0/0", "::/0"}, "[ff02::1]:5000", false},
		{"nor hidden IPv4", []string{"::/0"}, "[64:ff9b::7f00:1]:5000", false},
		{"nor IPv6 loopback", []string{"::/0"}, "[::1]:5000", false},
		{"nor IPv6 link-local", []string{"::/0"}, "[fe80::1]:5000", false},
		{"loopback, named", []string{"127.0.0.0/8"}, "127.0.0.1:5000", true},
		{"IPv6 loopback, named", []string{"::1"}, "[::1]:5000", true},
		{"link-local, named", []string{"169.254.7.0/24"}, "169.254.7.7:5000", true},
		{"own listener on loopback", []string{"127.0.0.0/8"}, "127.0.0.1:3478", false},
		{"own listener on an interface", []string{"10.0.0.0/8"}, "10.1.2.3:3478", false},
		{"own listener on the announced address", []string{"198.51.100.1"}, "198.51.100.1:3478", false},
		{"another's port of that number", []string{"10.0.0.0/8"}, "10.1.2.4:3478", true},
		{"own public address", nil, "8.8.4.4:5000", false},
		{"the announced address", nil, "198.51.100.1:5000", false},
	} {
		peer := netip.MustParseAddrPort(c.peer)
		if got := p(c.allow...).accessTo(peer).outside; got != c.want {
			t.Errorf("%s: %s with %q: got %t, want %t", c.name, c.peer, c.allow, got, c.want)
		}
	}
	for _, bad := range []string{"", "10", "10.0.0.0/33", "example.org", "224.0.0.1", "ff00::/8", "64:ff9b::/96", "0.0.0.0"} {
		if _, err := parseAllow([]string{bad}); err == nil || !strings.Contains(err.Error(), "turn.allow_peers") {
			t.Errorf("allow %q: got %v, want a fault that names the key", bad, err)
		}
	}
}

// The media relay of this process may be reached through TURN, by a client whose network lets nothing else out: by no user
// of ours without a call, and nothing else at its address.
func TestMediaRelayIsReached(t *testing.T) {
	for _, way := range ways {
		t.Run(way, func(t *testing.T) { mediaRelayIsReached(t, way) })
	}
}

func mediaRelayIsReached(t *testing.T, way string) {
	media, at := peerOn(t, "127.0.0.1")
	elsewhere, other := peerOn(t, "127.0.0.1")
	cfg, lim := testConfig()
	cfg.Permissions, cfg.AllowPeers = "call", nil
	s, err := newServer(cfg, Deps{Secret: []byte(testSecret)}, lim)
	if err != nil {
		t.Fatal(err)
	}
	s.SetMediaRelay([]netip.AddrPort{at})
	run(t, s)
	a := dial(t, s, "udp").own(s, ownUser)
	a.allocate()
	if got := a.ask(methodChannelBind, channelNumber(0x4000), peerAddress(at)).code; got != codeForbidden {
		t.Errorf("without a call: got %d, want %d", got, codeForbidden)
	}
	s.CallStarted("c", ownUser, "other")
	a.open(way, 0x4000, at)
	a.say(way, 0x4000, at, "out")
	from := expectAt(t, media, "out")
	media.WriteToUDPAddrPort([]byte("in"), from)
	a.hear(way, 0x4000, at, "in")

	a.send(a.build(methodSend, classIndication, peerAddress(other), attribute{attrData, []byte("wrong")}))
	a.say(way, 0x4000, at, "again")
	expectAt(t, media, "again")
	elsewhere.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, _, err := elsewhere.ReadFromUDP(make([]byte, 100)); err == nil {
		t.Errorf("%d bytes arrived beside the media relay", n)
	}
	s.CallEnded("c")
	a.say(way, 0x4000, at, "late")
	media.WriteToUDPAddrPort([]byte("late"), from)
	a.mustAsk(methodRefresh)
	a.expectSilence("after the call")
}
