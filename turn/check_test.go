package turn

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	cfg, lim := testConfig()
	cfg.TLSListen, cfg.RelayPorts, cfg.AllowPeers = "127.0.0.1:0", "none", nil
	s, err := newServer(cfg, Deps{Secret: []byte(testSecret), TLS: &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}}, lim)
	if err != nil {
		t.Fatal(err)
	}
	run(t, s)
	urls, _, _, _ := s.ICEServers(ownUser, "127.0.0.1")
	user, pass := s.credentials.issue("check", time.Now().Add(time.Minute))

	for _, r := range Check(t.Context(), CheckOptions{URLs: urls, Username: user, Password: pass, Insecure: true, Timeout: 20 * time.Second}) {
		stun := strings.HasPrefix(r.URL, "stun:")
		if r.Err != nil || !r.Mapped.IsValid() || r.Relayed.IsValid() == stun || r.RTT <= 0 || r.Advice != "" {
			t.Errorf("%s: %+v", r.URL, r)
		}
	}
	eventually(t, "its allocations end", func() bool { return s.relays.count() == 0 })

	silent, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	closed, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, c := range []struct{ name, url, pass, advice string }{
		{"a wrong password", urls[1], "wrong", "turn.secret"},
		{"a firewall", "turn:" + silent.LocalAddr().String(), pass, "open UDP port"},
		{"no server", fmt.Sprintf("turn:%s?transport=tcp", closed.Addr()), pass, "nothing listens on TCP port"},
		{"a certificate that nobody knows", urls[3], pass, "browsers will not trust"},
		{"no URL", "http://example.org", pass, ""},
	} {
		r := Check(t.Context(), CheckOptions{URLs: []string{c.url}, Username: user, Password: c.pass, Timeout: 2 * time.Second})[0]
		if r.Err == nil || !strings.Contains(r.Advice, c.advice) || c.advice == "" != (r.Advice == "") {
			t.Errorf("%s: %v, advice %q, want %q", c.name, r.Err, r.Advice, c.advice)
		}
	}
}

// TestAdviceIsByCode: digits that look like a code mean nothing; the code of the server's answer does.
func TestAdviceIsByCode(t *testing.T) {
	for _, address := range []string{"127.0.0.1:54010", "192.0.2.1:4030", "198.51.100.1:4860", "203.0.113.1:5080"} {
		at := target{"turn", "udp", address, "127.0.0.1"}
		for _, err := range []error{
			fmt.Errorf("read udp 127.0.0.1:1->%s: %w", address, os.ErrDeadlineExceeded),
			cause(t.Context(), "allocate", fmt.Errorf("all retransmissions failed for %s (401 403 486)", address)),
		} {
			if got := at.advice(err); !strings.HasPrefix(got, "no answer: open UDP port") {
				t.Errorf("%v: %q", err, got)
			}
		}
		for code, want := range map[int]string{401: "the credential is refused", 403: "the server refuses its own", 486: "the server has no room", 508: "the server has no room", 500: ""} {
			err := cause(t.Context(), "allocate", fmt.Errorf("Allocate error response (error %d: at %s)", code, address))
			if got := at.advice(err); !strings.HasPrefix(got, want) || want == "" && got != "" {
				t.Errorf("%v: %q, want %q", err, got, want)
			}
		}
	}
}
