package relay

// Whose a datagram is: real sockets on one port.

import (
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSharedPort(t *testing.T) {
	check := string(bindingRequest("ours:theirs", "password"))
	cookie := "\x21\x12\xa4\x42abcdefghijkl"
	ours, theirs := map[string]string{
		"RTP": "\x80\x60\x00\x01aaaabbbbcccc", "RTCP": "\x81\xc9\x00\x01aaaa", "DTLS": "\x16\xfe\xfd\x00", "the last of DTLS": "\x3f", "the last of RTP": "\xbf",
		"a check":                    check,
		"a check, USERNAME later on": "\x00\x01\x00\x14" + cookie + "\x80\x2a\x00\x05abcde\x00\x00\x00" + "\x00\x06\x00\x03a:b\x00",
	}, map[string]string{
		"nothing": "", "one byte": "\x00", "a Binding": "\x00\x01\x00\x00" + cookie, "an Allocate with a USERNAME": "\x00\x03\x00\x08" + cookie + "\x00\x06\x00\x03a:b\x00",
		"a Binding with other attributes": "\x00\x01\x00\x08" + cookie + "\x80\x22\x00\x04duet", "a Binding cut off": check[:22],
		"a Binding of the old STUN": "\x00\x01\x00\x0812345678abcdefgh\x00\x06\x00\x03a:b\x00", "an answer": "\x01\x01\x00\x08" + cookie + "\x00\x06\x00\x03a:b\x00",
		"a channel": "\x40\x01\x00\x04data", "the last channel": "\x7f\xff\x00\x00", "ZRTP": "\x10\x00", "beyond RTP": "\xc0\x00",
		"an attribute too long": "\x00\x01\x00\x08" + cookie + "\x80\x22\xff\xffduet",
		"too many attributes":   "\x00\x01\x00\x48" + cookie + strings.Repeat("\x80\x22\x00\x00", 16) + "\x00\x06\x00\x03a:b\x00",
	}
	for _, others := range []int{1, 3} {
		t.Run(fmt.Sprint(others, " others"), func(t *testing.T) {
			addr := ":0"
			sockets := make([]*net.UDPConn, others+1)
			for i := range others {
				pc, err := (&net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
					_ = c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
					return err
				}}).ListenPacket(context.Background(), "udp", addr)
				if err != nil {
					t.Fatal(err)
				}
				sockets[i] = pc.(*net.UDPConn)
				addr = fmt.Sprintf(":%d", pc.LocalAddr().(*net.UDPAddr).Port)
			}
			var err error
			if sockets[others], err = listenShared(addr, others); err != nil {
				t.Fatal(err)
			}
			type arrival struct {
				socket int
				from   string
			}
			arrived := make(chan arrival)
			for i, s := range sockets {
				t.Cleanup(func() { _ = s.Close() })
				go func() {
					for b := make([]byte, 2000); ; {
						_, from, err := s.ReadFromUDPAddrPort(b)
						if err != nil {
							return
						}
						arrived <- arrival{i, fmt.Sprint(from.Port())}
					}
				}()
			}
			used := map[int]bool{}
			for client := range 40 {
				host := []string{"127.0.0.1", "::1"}[client%2]
				c, err := net.Dial("udp", net.JoinHostPort(host, addr[1:]))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = c.Close() })
				at := func(what, b string) int {
					if _, err := c.Write([]byte(b)); err != nil {
						t.Fatal(err)
					}
					select {
					case a := <-arrived:
						if _, port, _ := net.SplitHostPort(c.LocalAddr().String()); port != a.from {
							t.Fatalf("%s came from port %s", what, a.from)
						}
						return a.socket
					case <-time.After(patience):
						t.Fatalf("%s did not arrive", what)
						return 0
					}
				}
				for what, b := range ours {
					if got := at(what, b); got != others {
						t.Errorf("%s, from %s: at socket %d, want ours", what, host, got)
					}
				}
				home := at("a channel", "\x40\x01\x00\x00")
				used[home] = true
				for what, b := range theirs {
					// What is too short to be judged goes to any of them.
					if got := at(what, b); got == others || got != home && len(b) >= 20 {
						t.Errorf("%s, from %s: at socket %d, want %d, where the client's channels are", what, host, got, home)
					}
				}
			}
			if len(used) != others {
				t.Errorf("40 clients are at %d of %d sockets", len(used), others)
			}
		})
	}
}
