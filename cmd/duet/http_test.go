package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"duet/internal/forwarded"
)

func TestPlainPortSendsToHTTPS(t *testing.T) {
	served := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	proxies := forwarded.Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	for _, tt := range []struct {
		name, method, from, host, path, proto string
		port, code                            int
		location                              string
	}{
		{"a page", "GET", "192.0.2.1:5", "call.example.org", "/?a=b", "", 443, 307, "https://call.example.org/?a=b"},
		{"its head", "HEAD", "192.0.2.1:5", "call.example.org:8080", "/", "", 443, 307, "https://call.example.org/"},
		{"another port", "GET", "192.0.2.1:5", "call.example.org:8080", "/", "", 8443, 307, "https://call.example.org:8443/"},
		{"an address", "GET", "[2001:db8::9]:5", "[2001:db8::1]:8080", "/", "", 443, 307, "https://[2001:db8::1]/"},
		{"an address without port", "GET", "[2001:db8::9]:5", "[2001:db8::1]", "/", "", 8443, 307, "https://[2001:db8::1]:8443/"},
		{"the signaling", "GET", "192.0.2.1:5", "call.example.org", "/ws", "", 443, 307, "https://call.example.org/ws"},
		{"a token", "POST", "192.0.2.1:5", "call.example.org", "/api/v1/turn-credentials", "", 443, 403, ""},
		{"health", "GET", "192.0.2.1:5", "call.example.org", "/healthz", "", 443, 204, ""},
		{"this machine", "GET", "127.0.0.1:5", "localhost:8080", "/", "", 443, 204, ""},
		{"this machine, mapped", "POST", "[::ffff:127.0.0.1]:5", "localhost:8080", "/", "", 443, 204, ""},
		{"a proxy that has ended TLS", "POST", "10.1.2.3:5", "call.example.org", "/", "https", 443, 204, ""},
		{"a proxy that has not", "GET", "10.1.2.3:5", "call.example.org", "/", "http", 443, 307, "https://call.example.org/"},
		{"somebody who says so", "GET", "192.0.2.1:5", "call.example.org", "/", "https", 443, 307, "https://call.example.org/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.path, nil)
			r.RemoteAddr, r.Host = tt.from, tt.host
			if tt.proto != "" {
				r.Header.Set("X-Forwarded-Proto", tt.proto)
			}
			w := httptest.NewRecorder()
			toHTTPS(served, tt.port, proxies).ServeHTTP(w, r)
			if w.Code != tt.code || w.Header().Get("Location") != tt.location {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Header().Get("Location"), tt.code, tt.location)
			}
		})
	}
}

// TestBrowsersStayWithHTTPS: over TLS, and there alone, they are told to.
func TestBrowsersStayWithHTTPS(t *testing.T) {
	for _, tt := range []struct{ redirect, want string }{{"true", "max-age=31536000"}, {"false", ""}} {
		secure := freePort(t)
		s := start(t, duet(t, []string{"DUET_HTTP_TLS_LISTEN=" + secure, "DUET_HTTP_SELF_SIGNED=true", "DUET_HTTP_REDIRECT=" + tt.redirect}))
		client := &http.Client{Transport: insecure(t)}
		for url, want := range map[string]string{"https://" + secure: tt.want, s.plain: ""} {
			res, err := client.Get(url + "/healthz")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if got := res.Header.Get("Strict-Transport-Security"); got != want {
				t.Errorf("redirect %s, %s: got %q, want %q", tt.redirect, url, got, want)
			}
		}
	}
}

// pipeListener gives out one end of a pipe.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// TestIdleConnectionOutlivesTheProxys: a proxy that uses a connection again just before it gives it up finds it open.
func TestIdleConnectionOutlivesTheProxys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipeListener{make(chan net.Conn), make(chan struct{})}
		server := httpServer(http.HandlerFunc(healthy), quiet())
		ended := make(chan error)
		go func() { ended <- server.Serve(l) }()
		mine, its := net.Pipe()
		l.conns <- its
		answers := bufio.NewReader(mine)
		for _, pause := range []time.Duration{0, 60 * time.Second, 90 * time.Second, 120 * time.Second} {
			time.Sleep(pause)
			if _, err := io.WriteString(mine, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
				t.Fatalf("after %s: %v", pause, err)
			}
			res, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatalf("after %s: %v", pause, err)
			}
			if body, err := io.ReadAll(res.Body); err != nil || !strings.HasPrefix(string(body), "ok") {
				t.Fatalf("after %s: %q, %v", pause, body, err)
			}
		}
		mine.Close()
		server.Close()
		<-ended
	})
}
