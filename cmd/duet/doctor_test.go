package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"duet/configs"
	"duet/internal/netaddr"
)

// line is the report's line about a thing, with what to do below it.
func line(report, what string) string {
	lines := strings.Split(report, "\n")
	for i, l := range lines {
		if len(l) > 8 && strings.HasPrefix(l[8:], what) {
			if i+1 < len(lines) && strings.HasPrefix(lines[i+1], "        ") {
				return l + "\n" + lines[i+1]
			}
			return l
		}
	}
	return ""
}

func TestDoctor(t *testing.T) {
	environ := []string{
		"DUET_STATE_DIR=" + t.TempDir(), "DUET_HTTP_LISTEN=" + freePort(t), "DUET_HTTP_TLS_LISTEN=" + freePort(t), "DUET_HTTP_SELF_SIGNED=true",
		"DUET_HTTP_ADMIN_LISTEN=" + freePort(t), "DUET_TURN_LISTEN=" + freePort(t), "DUET_RELAY_LISTEN=" + freePort(t),
		"DUET_TURN_PUBLIC_IP=10.0.0.1", "DUET_TURN_SECRET=sixteen-letters-", "DUET_SIGNALING_MAX_CONNECTIONS=10000000",
	}
	says := func(report, what, want string) {
		t.Helper()
		if got := line(report, what); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	out, err := duet(t, environ, "doctor").CombinedOutput()
	report := string(out)
	if err == nil {
		t.Error("without a server: all is well")
	}
	says(report, "configuration: turn.secret", "shorter than 32")
	says(report, "open files", "LimitNOFILE")
	says(report, "UDP buffers", "KiB")
	says(report, "clock", "")
	says(report, "turn.public_ip", "nobody outside your own network")
	says(report, "http.tls_listen", "is the server running")
	says(report, "certificate of", "is the server running")
	says(report, "WebSocket", "is the server running")
	says(report, "stun:", "open UDP port")

	start(t, duet(t, environ))
	out, err = duet(t, environ, "doctor", "-insecure").CombinedOutput()
	report = string(out)
	if err != nil {
		t.Errorf("with a server: %v\n%s", err, report)
	}
	says(report, "http.tls_listen", "is in use")
	says(report, "certificate of", "browsers will warn")
	says(report, "WebSocket https://", "ok")
	if out, err = duet(t, environ, "doctor").CombinedOutput(); err == nil {
		t.Error("with a certificate that nobody knows: all is well")
	}
	says(string(out), "certificate of", "FAILED")
}

// TestDoctorSeesTheProxy: each way in which a proxy breaks the signaling has its own advice.
func TestDoctorSeesTheProxy(t *testing.T) {
	s := start(t, duet(t, []string{"DUET_SIGNALING_TRUSTED_PROXIES=127.0.0.1/32"}))
	target, err := url.Parse(s.page)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		rewrite func(*httputil.ProxyRequest)
		want    string
	}{
		{"as it should be", func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() }, "ok"},
		{"its own host", func(r *httputil.ProxyRequest) { r.SetURL(target) }, "X-Forwarded-Host"},
		{"no WebSockets", func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
			r.Out.Header.Del("Upgrade")
			r.Out.Header.Del("Connection")
		}, "does not pass WebSockets on"},
		{"another path", func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: target.Host, Path: "/else/"})
			r.SetXForwarded()
		}, "does not lead to Duet"},
		{"nowhere", func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}) }, "does not reach Duet"},
	} {
		proxy := &httputil.ReverseProxy{Rewrite: tt.rewrite, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
		front := httptest.NewServer(http.HandlerFunc(proxy.ServeHTTP))
		at, err := url.Parse(front.URL)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		examineWebSocket(t.Context(), &checkReport{w: &out}, at, false)
		if !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, out.String(), tt.want)
		}
		front.Close()
	}
}

func TestDoctorOnAddresses(t *testing.T) {
	for configured, want := range map[string]bool{
		"192.168.1.1": false, "10.0.0.1, fd00::1": false, "203.0.113.1": true, "10.0.0.1,2a00::1": true, "": true, "stun:stun.example.org": true,
	} {
		if got := anyPublic(configured, []netaddr.Found{{Addr: netip.MustParseAddr("198.51.100.1")}}); got != want {
			t.Errorf("%q: public %v, want %v", configured, got, want)
		}
	}
	var out strings.Builder
	cfg := configs.Default()
	cfg.TURN.Enabled, cfg.Relay.Mode = false, "off"
	examineAddresses(t.Context(), &checkReport{w: &out}, cfg)
	if out.Len() > 0 {
		t.Errorf("with neither TURN nor the relay: %s", out.String())
	}
}
