package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"
)

// closed reports whether the server has closed c without a word.
func closed(c net.Conn) bool {
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

// TestStreamsOfOneAddress: who opens many connections keeps nobody else out, and WebSockets and TURN do not count.
func TestStreamsOfOneAddress(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	m := newStreamMux(listenLocal(t), nil, func(_ context.Context, c net.Conn) {
		defer c.Close()
		io.Copy(c, c)
	}, nil, quiet())
	m.limiter.local = 2
	public := httpServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		io.Copy(io.Discard, c)
	}), quiet())
	var all sync.WaitGroup
	all.Go(func() { m.Run(ctx) })
	all.Go(func() { public.Serve(m) })
	t.Cleanup(func() {
		cancel()
		public.Close()
		all.Wait()
	})
	for range 3 { // what is not counted any more does not fill the limit
		turnEchoes(t, dial(t, m.Addr()))
		ws := dial(t, m.Addr())
		io.WriteString(ws, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(ws), nil); err != nil {
			t.Fatal(err)
		}
	}
	silent := []net.Conn{dial(t, m.Addr()), dial(t, m.Addr())}
	for deadline := time.Now().Add(10 * time.Second); ; {
		m.limiter.mu.Lock()
		n := len(m.limiter.counts)
		for _, each := range m.limiter.counts {
			n = each
		}
		m.limiter.mu.Unlock()
		if n == len(silent) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d streams are counted, want %d", n, len(silent))
		}
	}
	if !closed(dial(t, m.Addr())) {
		t.Error("a third stream was let in")
	}
	for _, c := range silent {
		c.Close()
	}
	for deadline := time.Now().Add(10 * time.Second); ; { // the server hears of it
		c := dial(t, m.Addr())
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		_, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("places that were given back are not free: %v", err)
		}
	}
}

// TestAdminIsNotForPages: a page must not read or burden the admin port of the machine whose browser shows it.
func TestAdminIsNotForPages(t *testing.T) {
	s := start(t, duet(t, nil))
	for _, tt := range []struct {
		host, site string
		code       int
	}{
		{"", "", 200},
		{"localhost", "none", 200},
		{"localhost", "same-origin", 200},
		{"127.0.0.1:9080", "", 200},
		{"[::1]:9080", "", 200},
		{"rebound.example", "same-origin", 403},
		{"rebound.example:9080", "", 403},
		{"localhost", "cross-site", 403},
		{"localhost", "same-site", 403},
	} {
		r, err := http.NewRequest("GET", s.more+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = tt.host
		if tt.site != "" {
			r.Header.Set("Sec-Fetch-Site", tt.site)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != tt.code {
			t.Errorf("host %q, site %q: got %d, want %d", tt.host, tt.site, res.StatusCode, tt.code)
		}
	}
}
