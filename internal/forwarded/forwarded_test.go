package forwarded

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"duet/internal/spin"
)

// from is a request that came from an address, with headers given as name: value.
func from(remote string, headers ...string) *http.Request {
	r := &http.Request{RemoteAddr: remote, Host: "backend:8080", Header: http.Header{}}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func TestClient(t *testing.T) {
	proxies, err := Parse([]string{"10.0.0.0/8", "2001:db8::/32"})
	if err != nil {
		t.Fatal(err)
	}
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
		{"[2001:db8::1]:5", "[2001:db9::7]", "2001:db9::7"},
		{"[2001:db8::1]:5", "2001:db9::7", "2001:db9::7"},
		{"[2001:db8::1]:5", "198.51.100.1, [2001:db8::9], [2001:db8::8]:4711", "198.51.100.1"},
		{"[::ffff:10.1.2.3]:5", "::ffff:198.51.100.1", "198.51.100.1"},
		{"[fe80::1%eth0]:5", "", "fe80::1"},
		{"a pipe", "198.51.100.1", "0.0.0.0"},
	} {
		r := from(c.remote)
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := proxies.Client(r).String(); got != c.want {
			t.Errorf("%s forwarded for %q: %s, want %s", c.remote, c.forwarded, got, c.want)
		}
	}
	if got := proxies.Client(from("10.1.2.3:5", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 198.51.100.1")).String(); got != "198.51.100.1" {
		t.Errorf("two headers: %s", got)
	}
	for _, c := range []struct{ forwarded, want string }{
		{`for=198.51.100.1`, "198.51.100.1"},
		{`For="198.51.100.1:4711";proto=https;by=10.1.2.3`, "198.51.100.1"},
		{`for="[2001:db9::7]"`, "2001:db9::7"},
		{`proto=https; for="[2001:db9::7]:4711"`, "2001:db9::7"},
		{`for=203.0.113.9, for=198.51.100.1;host="a,b;c", for=10.9.9.9`, "198.51.100.1"},
		{`for=198.51.100.1, for=_hidden`, "10.1.2.3"},
		{`for=unknown`, "10.1.2.3"},
		{`proto=https`, "10.1.2.3"},
		{`for="198.51.100.1`, "10.1.2.3"},
	} {
		if got := proxies.Client(from("10.1.2.3:5", "Forwarded: "+c.forwarded)).String(); got != c.want {
			t.Errorf("Forwarded %s: %s, want %s", c.forwarded, got, c.want)
		}
		if got := proxies.Client(from("10.1.2.3:5", "Forwarded: "+c.forwarded, "X-Forwarded-For: 192.0.2.9")).String(); got != "192.0.2.9" {
			t.Errorf("Forwarded %s beside X-Forwarded-For: %s", c.forwarded, got)
		}
		if got := proxies.Client(from("192.0.2.1:5", "Forwarded: "+c.forwarded)).String(); got != "192.0.2.1" {
			t.Errorf("Forwarded %s from a stranger: %s", c.forwarded, got)
		}
	}
}

func TestHostAndProto(t *testing.T) {
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		headers []string
		host    string
		secure  bool
	}{
		{nil, "backend:8080", false},
		{[]string{"X-Forwarded-Host: call.example.org:8443", "X-Forwarded-Proto: https"}, "call.example.org:8443", true},
		{[]string{"X-Forwarded-Host: call.example.org, inner", "X-Forwarded-Proto: HTTPS, http"}, "call.example.org", true},
		{[]string{"X-Forwarded-Proto: http"}, "backend:8080", false},
		{[]string{`Forwarded: for=192.0.2.1;host="call.example.org:8443";proto=https, for=10.1.1.1`}, "call.example.org:8443", true},
		{[]string{`Forwarded: host="a\"b"`}, `a"b`, false},
	} {
		r := from("10.1.2.3:5", c.headers...)
		if host, secure := proxies.Host(r), proxies.Secure(r); host != c.host || secure != c.secure {
			t.Errorf("%v: %s, %v, want %s, %v", c.headers, host, secure, c.host, c.secure)
		}
		r.RemoteAddr = "192.0.2.1:5"
		if host, secure := proxies.Host(r), proxies.Secure(r); host != "backend:8080" || secure {
			t.Errorf("%v from a stranger: %s, %v", c.headers, host, secure)
		}
	}
	for hostport, want := range map[string]string{"a": "a", "a:1": "a", "[::1]": "::1", "[::1]:1": "::1", "192.0.2.1:5": "192.0.2.1", "": ""} {
		if got := Hostname(hostport); got != want {
			t.Errorf("%q: %q, want %q", hostport, got, want)
		}
	}
	if _, err := Parse([]string{"10.0.0.1"}); err == nil {
		t.Error("an address was taken for a network")
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add(`for="[2001:db8::1]:4711";host=a, for=192.0.2.1`, "192.0.2.1, [::1]:5")
	f.Add(`for="\`, "")
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, forwarded, xForwardedFor string) {
		spin.Watch(t)
		r := from("10.1.2.3:5", "Forwarded: "+forwarded, "X-Forwarded-For: "+xForwardedFor)
		if ip := proxies.Client(r); !ip.IsValid() || ip.Zone() != "" || ip.Is4In6() {
			t.Errorf("client %v", ip)
		}
		proxies.Host(r)
		r.RemoteAddr = "192.0.2.1:5"
		if ip := proxies.Client(r).String(); ip != "192.0.2.1" || proxies.Host(r) != "backend:8080" {
			t.Errorf("a stranger is believed: %s, %s", ip, proxies.Host(r))
		}
	})
}
