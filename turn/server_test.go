package turn

// This file shows what the server is for: relaying, over UDP and TCP, to peers outside and inside.

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	pion "github.com/pion/turn/v3"
)

func TestRelaysToPeer(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			s := start(t)
			c := dial(t, s, network)
			relay := c.allocate()
			outside, addr := peer(t)

			c.mustAsk(methodCreatePermission, peerAddress(addr))
			c.send(c.build(methodSend, classIndication, peerAddress(addr), attribute{attrData, []byte("indication")}))
			if from := expectAt(t, outside, "indication"); from != relay {
				t.Errorf("sent from %s, want %s", from, relay)
			}
			outside.WriteToUDPAddrPort([]byte("answer"), relay)
			in := c.receive(5 * time.Second)
			if got := attributeOf(in, attrData); string(got) != "answer" {
				t.Errorf("got %q, want a Data indication with %q", in, "answer")
			}

			c.bind(0x4000, addr)
			c.send(channelData(0x4000, "channel"))
			expectAt(t, outside, "channel")
			outside.WriteToUDPAddrPort([]byte("back"), relay)
			c.expectChannel(0x4000, "back")
		})
	}
}

func TestRelaysBetweenAllocations(t *testing.T) {
	for _, nets := range [][2]string{{"udp", "udp"}, {"udp", "tcp"}, {"tcp", "tcp"}} {
		t.Run(fmt.Sprint(nets), func(t *testing.T) {
			s := start(t, func(c *Config, _ *limits) { c.RelayPorts, c.AllowPeers = "none", nil })
			a, b := dial(t, s, nets[0]), dial(t, s, nets[1])
			b.user, b.pass = "bob", "builder"
			atA, atB := a.allocate(), b.allocate()
			a.bind(0x4001, atB)
			b.bind(0x4fff, atA)
			for i := range 20 {
				a.send(channelData(0x4001, fmt.Sprint("to b ", i)))
				b.expectChannel(0x4fff, fmt.Sprint("to b ", i))
				b.send(channelData(0x4fff, fmt.Sprint("to a ", i)))
				a.expectChannel(0x4001, fmt.Sprint("to a ", i))
			}
		})
	}
}

// TestLibraryClient has pion's own client talk to the server with credentials as clients get them.
func TestLibraryClient(t *testing.T) {
	s := start(t)
	urls, username, credential, expires := s.ICEServers(ownUser, "127.0.0.1")
	if len(urls) != 3 || time.Until(expires) < 7*time.Hour {
		t.Errorf("urls %q, expires %v", urls, expires)
	}
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			udp, tcp := s.Addrs()
			var conn net.PacketConn
			if network == "udp" {
				c, err := net.ListenPacket("udp4", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				conn = c
			} else {
				c, err := net.Dial("tcp", tcp.String())
				if err != nil {
					t.Fatal(err)
				}
				conn = pion.NewSTUNConn(c)
			}
			defer conn.Close()
			c, err := pion.NewClient(&pion.ClientConfig{
				STUNServerAddr: udp.String(), TURNServerAddr: udp.String(), Conn: conn,
				Username: username, Password: credential, LoggerFactory: discardLogger{},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.Listen(); err != nil {
				t.Fatal(err)
			}
			relay, err := c.Allocate()
			if err != nil {
				t.Fatal(err)
			}
			defer relay.Close()
			outside, addr := peer(t)
			if _, err := relay.WriteTo([]byte("hello"), net.UDPAddrFromAddrPort(addr)); err != nil {
				t.Fatal(err)
			}
			from := expectAt(t, outside, "hello")
			outside.WriteToUDPAddrPort([]byte("world"), from)
			b := make([]byte, 100)
			relay.SetReadDeadline(time.Now().Add(5 * time.Second))
			if n, _, err := relay.ReadFrom(b); err != nil || string(b[:n]) != "world" {
				t.Fatalf("got %q, %v", b[:n], err)
			}
		})
	}
}

// TestAnswersFromTheAddressAsked: on a machine with several addresses the answer must not come from another one.
func TestAnswersFromTheAddressAsked(t *testing.T) {
	for _, listen := range []string{":0", "0.0.0.0:0"} {
		s := start(t, func(c *Config, _ *limits) { c.Listen = listen })
		var clients [2]*client
		var relays [2]netip.AddrPort
		for i, ip := range []net.IP{net.IPv4(127, 0, 0, 2), net.IPv4(127, 0, 0, 3)} {
			conn, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: ip, Port: int(s.port())}) // takes nothing from elsewhere
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			clients[i] = &client{t: t, conn: conn, user: "alice", pass: "wonder", timeout: 5 * time.Second}
			relays[i] = clients[i].allocate()
		}
		outside, addr := peer(t)
		for i, c := range clients {
			c.bind(0x4000, relays[1-i])
			c.bind(0x4001, addr)
		}
		for i, c := range clients {
			c.send(channelData(0x4000, "memory"))
			clients[1-i].expectChannel(0x4000, "memory")
			outside.WriteToUDPAddrPort([]byte("socket"), relays[i])
			c.expectChannel(0x4001, "socket")
		}
	}
}
