package join

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"duet/internal/forwarded"
)

// TestOriginBehindProxies: a page of the host that was asked for may connect, whatever the proxies have made of Host; a
// page of another may not.
func TestOriginBehindProxies(t *testing.T) {
	proxies := forwarded.Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	o := NewOrigins([]string{"https://app.example.org"}, proxies)
	const proxy, stranger, local = "10.1.2.3:5", "192.0.2.1:5", "127.0.0.1:5"
	for _, tt := range []struct {
		name, from, host, xhost, origin string
		allowed                         bool
		turn                            string
	}{
		{"no proxy", stranger, "call.example.org", "", "https://call.example.org", true, "call.example.org"},
		{"no proxy, a port", stranger, "call.example.org:8443", "", "https://call.example.org:8443", true, "call.example.org"},
		{"no proxy, another port", stranger, "call.example.org:8443", "", "https://call.example.org:9443", false, ""},
		{"no proxy, no port", stranger, "call.example.org", "", "https://call.example.org:8443", false, ""},
		{"no proxy, no port, on this machine", local, "call.example.org", "", "https://call.example.org:8443", false, ""},
		{"Host without the port, by a proxy on this machine", local + " for 192.0.2.1", "call.example.org", "", "https://call.example.org:8443", true, "call.example.org"},
		{"Host without the port", proxy, "call.example.org", "", "https://call.example.org:8443", true, "call.example.org"},
		{"Host without the port, IPv6", proxy, "[2001:db8::1]", "", "https://[2001:db8::1]:8443", true, "2001:db8::1"},
		{"Host without the port, another site", proxy, "call.example.org", "", "https://evil.example:8443", false, ""},
		{"Host without the port, a longer name", proxy, "call.example.org", "", "https://call.example.org.evil.example", false, ""},
		{"Host of the back end", proxy, "duet:8080", "", "https://call.example.org", false, ""},
		{"and X-Forwarded-Host", proxy, "duet:8080", "call.example.org:8443", "https://call.example.org:8443", true, "call.example.org"},
		{"and X-Forwarded-Host without the port", proxy, "duet:8080", "call.example.org", "https://call.example.org:8443", true, "call.example.org"},
		{"X-Forwarded-Host of a stranger", stranger, "duet:8080", "call.example.org", "https://call.example.org", false, ""},
		{"X-Forwarded-Host, another site", proxy, "duet:8080", "call.example.org", "https://evil.example", false, ""},
		{"allowed, Host of the back end", proxy, "duet:8080", "", "https://app.example.org", true, "app.example.org"},
		{"allowed, Host of the back end on this machine", local, "127.0.0.1:8080", "", "https://app.example.org", true, "app.example.org"},
		{"allowed, Host of a cluster", proxy, "duet.default.svc.cluster.local", "", "https://app.example.org", true, "app.example.org"},
		{"allowed, embedded elsewhere", proxy, "call.example.org", "", "https://app.example.org", true, "call.example.org"},
		{"allowed, in a network of our own", stranger, "duet:8080", "", "https://app.example.org", true, "duet"},
		{"this machine", local, "localhost:8080", "", "http://localhost:8080", true, "localhost"},
		{"no browser", proxy, "duet:8080", "", "", true, "duet"},
	} {
		remote, client, _ := strings.Cut(tt.from, " for ")
		r := &http.Request{RemoteAddr: remote, Host: tt.host, Header: http.Header{}}
		for name, value := range map[string]string{"Origin": tt.origin, "X-Forwarded-Host": tt.xhost, "X-Forwarded-For": client} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if got := o.Allow(r); got != tt.allowed {
			t.Errorf("%s: allowed %v, want %v", tt.name, got, tt.allowed)
		}
		if got := o.TURNHost(r); tt.allowed && got != tt.turn {
			t.Errorf("%s: TURN at %s, want %s", tt.name, got, tt.turn)
		}
	}
}
