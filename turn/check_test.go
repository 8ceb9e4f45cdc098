package turn

import (
	"crypto/tls"
	"fmt"
	"net"
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
