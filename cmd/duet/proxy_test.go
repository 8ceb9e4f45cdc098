package main

// The PROXY protocol on TURN's ports.

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/pion/stun/v4"
)

// mappedOver asks for a STUN Binding over a stream and gives the address that the server sees.
func mappedOver(t *testing.T, c net.Conn) (netip.AddrPort, error) {
	t.Helper()
	request := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
	if _, err := c.Write(request.Raw); err != nil {
		return netip.AddrPort{}, err
	}
	answer := stun.New()
	if _, err := answer.ReadFrom(c); err != nil {
		return netip.AddrPort{}, err
	}
	var mapped stun.XORMappedAddress
	if err := mapped.GetFrom(answer); err != nil || answer.TransactionID != request.TransactionID {
		t.Fatalf("got %s, %v", answer, err)
	}
	ip, _ := netip.AddrFromSlice(mapped.IP)
	return netip.AddrPortFrom(ip.Unmap(), uint16(mapped.Port)), nil
}

// TestTURNBelievesTheSameProxies: what a load balancer says of its clients holds on TURN's own TCP and TLS ports too, and
// nobody else can say it.
func TestTURNBelievesTheSameProxies(t *testing.T) {
	const header = "PROXY TCP4 203.0.113.9 203.0.113.1 4711 3478\r\n"
	client := netip.MustParseAddrPort("203.0.113.9:4711")
	serving := func(proxies string) (plain, secure string) {
		plain, secure = freePort(t), freePort(t)
		start(t, duet(t, []string{
			"DUET_HTTP_TLS_LISTEN=127.0.0.1:0", "DUET_HTTP_SELF_SIGNED=true", "DUET_TURN_LISTEN=" + plain, "DUET_TURN_TLS_LISTEN=" + secure,
			"DUET_HTTP_PROXY_PROTOCOL=" + proxies,
		}))
		return plain, secure
	}
	over := func(addr, begin string, secure bool) net.Conn {
		t.Helper()
		c := dialText(t, addr)
		if _, err := io.WriteString(c, begin); err != nil {
			t.Fatal(err)
		}
		if secure {
			return tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		}
		return c
	}
	ended := func(err error) bool {
		return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	}

	plain, secure := serving("127.0.0.0/8")
	for addr, isTLS := range map[string]bool{plain: false, secure: true} {
		if got, err := mappedOver(t, over(addr, header, isTLS)); err != nil || got != client {
			t.Errorf("trusted (TLS %v): got %s, %v, want %s", isTLS, got, err, client)
		}
	}
	if got, err := mappedOver(t, over(plain, "", false)); !ended(err) {
		t.Errorf("trusted, but without a header: got %s, %v, want an end", got, err)
	}

	plain, secure = serving("192.0.2.0/24")
	for addr, isTLS := range map[string]bool{plain: false, secure: true} {
		c := over(addr, "", isTLS)
		if got, err := mappedOver(t, c); err != nil || got.String() != c.LocalAddr().String() {
			t.Errorf("from elsewhere (TLS %v): got %s, %v, want %s", isTLS, got, err, c.LocalAddr())
		}
	}
	if got, err := mappedOver(t, over(plain, header, false)); !ended(err) {
		t.Errorf("from elsewhere with a header: got %s, %v, want an end", got, err)
	}
	var alert tls.RecordHeaderError
	if got, err := mappedOver(t, over(secure, header, true)); !ended(err) && !errors.As(err, &alert) && !strings.Contains(err.Error(), "tls:") {
		t.Errorf("from elsewhere with a header before TLS: got %s, %v, want an end", got, err)
	}
}
