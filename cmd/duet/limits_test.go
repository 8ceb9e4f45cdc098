package main

// What many streams of one customer, or of many, take from others: limit.go, on real ports as well; and the admin port.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
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
		n := m.limiter.count
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

// limited is a limiter with small bounds.
func limited() *connLimiter {
	return &connLimiter{undecidedAll: 40, undecidedEach: 4, each: 8, all: 60}
}

// opens makes a stream from an address and says whether it was let in; the others that had to go are in gone.
func opens(t *testing.T, l *connLimiter, from string, gone map[net.Conn]bool) (s *stream, c net.Conn, ok bool) {
	t.Helper()
	c, other := net.Pipe()
	t.Cleanup(func() { c.Close(); other.Close() })
	s, oldest := l.accepted(c)
	gone[oldest] = true
	oldest, ok = s.enter(net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 1)))
	gone[oldest] = true
	if !ok {
		s.leave()
	}
	return s, c, ok
}

// TestSilentStreamsGiveWay: whoever opens streams and says nothing keeps nobody out, from one address or from many.
func TestSilentStreamsGiveWay(t *testing.T) {
	for _, tt := range []struct {
		name  string
		from  func(i int) string
		stays int // of 200
	}{
		{"one address", func(int) string { return "192.0.2.1" }, 4},
		{"one /64", func(i int) string { return fmt.Sprintf("2001:db8::%x", i+1) }, 4},
		{"one /56", func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i%256) }, 16},
		{"one /48", func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i*256) }, 40},
		{"many addresses", func(i int) string { return fmt.Sprintf("192.0.2.%d", i) }, 40},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, gone := limited(), map[net.Conn]bool{}
			var all []net.Conn
			for i := range 200 {
				if _, c, ok := opens(t, l, tt.from(i), gone); ok {
					all = append(all, c)
				}
			}
			stay := 0
			for _, c := range all {
				if !gone[c] {
					stay++
				}
			}
			if stay != tt.stays || l.undecided.Len() != stay {
				t.Errorf("%d stay, %d are listed, want %d", stay, l.undecided.Len(), tt.stays)
			}
			s, honest, ok := opens(t, l, "198.51.100.1", gone)
			if !ok || gone[honest] {
				t.Fatal("somebody else is kept out")
			}
			s.decided()
			for i := range 200 {
				opens(t, l, tt.from(i), gone)
			}
			if gone[honest] {
				t.Error("somebody who has spoken had to go")
			}
		})
	}
}

// TestHandshakesAreNotSilent: behind one NAT many clients may come back at once, and none of them has to go.
func TestHandshakesAreNotSilent(t *testing.T) {
	l, gone := limited(), map[net.Conn]bool{}
	for i := range 8 {
		s, _, ok := opens(t, l, "192.0.2.1", gone)
		if !ok {
			t.Fatalf("client %d was refused", i)
		}
		s.spoke()
	}
	delete(gone, nil)
	if len(gone) != 0 || l.undecided.Len() != 8 || l.silent.Len() != 0 {
		t.Errorf("%d had to go, %d are undecided, %d silent", len(gone), l.undecided.Len(), l.silent.Len())
	}
}

// TestStreamsInAll: over the bound the connection that has been idle for longest goes, and a busy one never.
func TestStreamsInAll(t *testing.T) {
	l, gone := limited(), map[net.Conn]bool{}
	var streams []*stream
	var conns []net.Conn
	open := func(i int) bool {
		s, c, ok := opens(t, l, fmt.Sprintf("192.0.2.%d", i), gone)
		s.decided()
		streams, conns = append(streams, s), append(conns, c)
		return ok
	}
	for i := range 60 {
		if !open(i) {
			t.Fatalf("stream %d was refused", i)
		}
	}
	if open(60) {
		t.Error("one more than the bound beside busy ones was let in")
	}
	for _, i := range []int{7, 3, 5} {
		streams[i].waits(true)
	}
	streams[7].waits(false) // asks again
	streams[7].waits(true)  // and is the last to have been idle
	for n, want := range []int{3, 5, 7} {
		if !open(70+n) || !gone[conns[want]] {
			t.Errorf("stream %d did not give way", want)
		}
	}
	if open(80) {
		t.Error("one more than the bound beside busy ones was let in")
	}
	for _, s := range streams {
		s.leave()
		s.leave()
	}
	if l.count != 0 || l.counted.Len() != 0 || l.silent.Len() != 0 || l.idle.Len() != 0 || l.undecided.Len() != 0 {
		t.Errorf("not everything is given back: %d, %d, %d, %d, %d", l.count, l.counted.Len(), l.silent.Len(), l.idle.Len(), l.undecided.Len())
	}
}

// TestPortSurvivesSilence: on a real port, with every place taken by streams that say nothing, others are served.
func TestPortSurvivesSilence(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	m := newStreamMux(listenLocal(t), nil, nil, nil, quiet())
	m.limiter.undecidedAll = 20
	public := httpServer(http.HandlerFunc(healthy), quiet())
	var all sync.WaitGroup
	all.Go(func() { m.Run(ctx) })
	all.Go(func() { public.Serve(m) })
	t.Cleanup(func() {
		cancel()
		public.Close()
		all.Wait()
	})
	first := dial(t, m.Addr())
	for range 20 {
		dial(t, m.Addr())
	}
	if !closed(first) { // ends when the port has seen them all
		t.Error("the oldest silent stream was answered")
	}
	for range 10 {
		c := dial(t, m.Addr())
		if got := httpSays(t, c, ""); got != "ok\n" {
			t.Errorf("beside 20 silent streams: got %q", got)
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
