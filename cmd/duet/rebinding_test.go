package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"duet/configs"
	"duet/internal/forwarded"
)

func TestNamesOfThePlainPort(t *testing.T) {
	cfg := configs.Default()
	cfg.HTTP.AllowedOrigins = []string{"https://app.example.org", "http://intra.example.com:8080/"}
	cfg.TURN.Host = "turn.example.org"
	served := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	h := notRebound(served, ourNames(cfg), forwarded.Proxies{netip.MustParsePrefix("10.0.0.0/8")}, slog.New(slog.DiscardHandler))
	const lan, local, proxy, public = "192.168.1.5:4000", "127.0.0.1:4000", "10.1.2.3:4000", "203.0.113.9:4000"
	for _, tt := range []struct {
		from, host, path, header string
		served                   bool
	}{
		{lan, "evil.example:8080", "/ws", "", false},
		{lan, "evil.example.:8080", "/ws", "", false},
		{lan, "192.168.1.2.evil.example:8080", "/ws", "", false},
		{lan, "localhost.evil.example", "/socket.io/", "", false},
		{lan, "evil.example", "/socket.io/", "X-Forwarded-For", false},
		{lan, "evil.example", "/socket.io/", "X-Forwarded-Host", false},
		{lan, "evil.example", "/api/v1/turn-credentials", "", false},
		{"[fd00::5]:4000", "evil.example", "/ws", "", false},
		{"[fe80::5%eth0]:4000", "evil.example", "/ws", "", false},
		{"100.64.1.1:4000", "evil.example", "/ws", "", false},
		{"[2001:db8:1:2::5]:4000", "evil.example", "/ws", "", false}, // a neighbour, by public addresses
		{local, "evil.example:8080", "/ws", "", false},
		{local, "evil.example:8080", "/socket.io/", "X-Forwarded-For", false}, // any page can say that
		{lan, "evil.example", "/", "", true},
		{lan, "192.168.1.2:8080", "/ws", "", true},
		{lan, "[fd00::2]:8080", "/ws", "", true},
		{lan, "duet", "/ws", "", true},
		{lan, "duet:8080", "/ws", "", true},
		{lan, "Duet.LAN:8080", "/ws", "", true},
		{lan, "duet.home.arpa", "/ws", "", true},
		{lan, "duet.local.", "/ws", "", true},
		{lan, "app.example.org", "/ws", "", true},
		{lan, "INTRA.example.com:8080", "/ws", "", true},
		{lan, "turn.example.org", "/ws", "", true},
		{local, "localhost:8080", "/ws", "", true},
		{local, "ann.localhost:8080", "/ws", "", true},
		{local, "127.0.0.1:8080", "/socket.io/", "", true},
		{local, "call.example.org", "/ws", "X-Forwarded-For", true},
		{local, "call.example.org", "/ws", "Forwarded", true},
		{proxy, "call.example.org", "/socket.io/", "", true},
		{public, "call.example.org", "/ws", "", true},
		{"[2001:db8:2::9]:4000", "call.example.org", "/ws", "", true},
	} {
		r := httptest.NewRequest("GET", tt.path, nil)
		r.RemoteAddr, r.Host = tt.from, tt.host
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.ParseIP("2001:db8:1::1"), Port: 8080}))
		if tt.path == "/ws" {
			r.Header.Set("Upgrade", "websocket")
		}
		if tt.header != "" {
			r.Header.Set(tt.header, "for=1.2.3.4")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Code == http.StatusNoContent; got != tt.served {
			t.Errorf("%s asks for %s at %s, %s: %d, want served %v", tt.from, tt.path, tt.host, tt.header, w.Code, tt.served)
		}
	}
}

// TestReboundPage: with the real program, a page under a name of its own that points to loopback.
func TestReboundPage(t *testing.T) {
	s := start(t, duet(t, []string{"DUET_HTTP_TLS_LISTEN=127.0.0.1:0", "DUET_HTTP_SELF_SIGNED=true", "DUET_HTTP_REDIRECT=false"}))
	dialer := websocket.Dialer{TLSClientConfig: insecure(t).TLSClientConfig}
	for _, tt := range []struct {
		url, host string
		code      int
	}{
		{s.plain, "evil.example:8080", 403},
		{s.plain, "localhost:8080", 101},
		{s.plain, strings.TrimPrefix(s.plain, "http://"), 101},
		{s.page, "evil.example:8080", 101}, // whose certificate is not theirs, so no browser comes so far
	} {
		c, res, err := dialer.Dial("ws"+strings.TrimPrefix(tt.url, "http")+"/ws", http.Header{"Host": {tt.host}, "Origin": {tt.url[:strings.Index(tt.url, "://")] + "://" + tt.host}})
		if res == nil {
			t.Fatal(err)
		}
		if res.StatusCode != tt.code {
			t.Errorf("%s as %s: got %d, want %d", tt.url, tt.host, res.StatusCode, tt.code)
		}
		if err == nil {
			c.Close()
		}
	}
}
