package join

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestClientIP(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for _, c := range []struct{ remote, forwarded, want string }{
		{"192.0.2.1:5", "", "192.0.2.1"},
		{"192.0.2.1:5", "198.51.100.1", "192.0.2.1"}, // not from a proxy of ours
		{"10.1.2.3:5", "", "10.1.2.3"},
		{"10.1.2.3:5", "198.51.100.1", "198.51.100.1"},
		{"10.1.2.3:5", "203.0.113.9, 198.51.100.1", "198.51.100.1"}, // the client made up the first
		{"10.1.2.3:5", "198.51.100.1, 10.9.9.9", "198.51.100.1"},
		{"10.1.2.3:5", "10.8.8.8,10.9.9.9", "10.8.8.8"},
		{"10.1.2.3:5", "rubbish", "10.1.2.3"},
		{"10.1.2.3:5", "198.51.100.1, rubbish, 10.9.9.9", "10.9.9.9"},
		{"10.1.2.3:5", "198.51.100.1:443", "198.51.100.1"},
		{"[2001:db8::1]:5", "[2001:db9::7]:443", "2001:db9::7"},
		{"[::ffff:10.1.2.3]:5", "::ffff:198.51.100.1", "198.51.100.1"},
		{"[fe80::1%eth0]:5", "", "fe80::1"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{}}
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := ClientIP(r, trusted).String(); got != c.want {
			t.Errorf("%s forwarded for %q: %s, want %s", c.remote, c.forwarded, got, c.want)
		}
	}
	r := &http.Request{RemoteAddr: "10.1.2.3:5", Header: http.Header{"X-Forwarded-For": {"203.0.113.9", "198.51.100.1"}}}
	if got := ClientIP(r, trusted).String(); got != "198.51.100.1" {
		t.Errorf("two headers: %s", got)
	}
}
