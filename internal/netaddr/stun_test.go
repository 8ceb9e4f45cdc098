package netaddr

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestSTUNServer(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "192.0.2.1": "", "example.org": "",
		"stun:stun.example.org": "stun.example.org:3478", "stun:192.0.2.1:19302": "192.0.2.1:19302", "stun:[2001:db8::1]:3478": "[2001:db8::1]:3478",
	} {
		if got, err := STUNServer(text); got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	for _, bad := range []string{"stun:", "stun::3478", "stun://example.org", "stun:a:99999", "stun:a:x", "stun:a?b=c", "stun:a:1,192.0.2.1"} {
		if got, err := STUNServer(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: got %q, %v, want an error that repeats it", bad, got, err)
		}
	}
}

func TestSilentSTUNServerIsNamed(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*repeat)
	defer cancel()
	began := time.Now()
	if _, err := FromSTUN(ctx, c.LocalAddr().String()); err == nil || !strings.Contains(err.Error(), c.LocalAddr().String()) {
		t.Errorf("got %v, want an error that names %s", err, c.LocalAddr())
	}
	if took := time.Since(began); took > patience {
		t.Errorf("took %s", took)
	}
}

// What does not answer this request is passed over; the request is sent again until something does.
func TestSTUNAnswersOfOthersArePassedOver(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	c := pc.(*net.UDPConn)
	go func() {
		b := make([]byte, 1500)
		for i := 0; ; i++ {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			answer := append([]byte{1, 1, 0, 12}, b[4:n]...)
			// 203.0.113.9, XORed with the magic cookie
			answer = append(answer, 0, 0x20, 0, 8, 0, 1, 0, 0, 203^0x21, 0^0x12, 113^0xa4, 9^0x42)
			switch i {
			case 0: // another transaction
				answer[8] ^= 1
			case 1: // a refusal
				answer[1] = 0x11
			case 2: // nonsense
				answer = answer[:10]
			}
			c.WriteToUDPAddrPort(answer, from)
		}
	}()
	found, err := FromSTUN(t.Context(), pc.LocalAddr().String())
	if err != nil || len(found) != 1 || found[0].Addr != netip.MustParseAddr("203.0.113.9") || found[0].How != "found by STUN server "+pc.LocalAddr().String() {
		t.Errorf("got %v, %v", found, err)
	}
}
