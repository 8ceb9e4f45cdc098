package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"crypto/x509"
	"encoding/pem"

	"duet/configs"
	"duet/internal/forwarded"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// muxServer runs a streamMux whose HTTP answers with the client's address and whose TURN echoes.
func muxServer(t *testing.T, base net.Listener, config *tls.Config) net.Addr {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	m := newStreamMux(base, config, func(_ context.Context, c net.Conn) {
		defer c.Close()
		io.Copy(c, c)
	}, func(c net.Conn) {
		defer c.Close()
		io.WriteString(c, "a check")
	}, quiet())
	public := httpServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "http from %s", r.RemoteAddr)
	}), quiet())
	var all sync.WaitGroup
	all.Go(func() { m.Run(ctx) })
	all.Go(func() { public.Serve(m) })
	t.Cleanup(func() {
		cancel()
		public.Close()
		all.Wait()
	})
	return m.Addr()
}

func listenLocal(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func dial(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

func dialText(t *testing.T, addr string) net.Conn {
	t.Helper()
	to, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return dial(t, to)
}

// httpSays asks over c and returns the answer's body.
func httpSays(t *testing.T, c net.Conn, before string) string {
	t.Helper()
	if _, err := io.WriteString(c, before+"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func turnEchoes(t *testing.T, c net.Conn) {
	t.Helper()
	sent := []byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}
	if _, err := c.Write(sent); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != string(sent) {
		t.Errorf("got %x, %v, want %x back", got, err, sent)
	}
}

func TestOnePortTellsProtocolsApart(t *testing.T) {
	cert, _, err := selfSigned(nil)
	if err != nil {
		t.Fatal(err)
	}
	setup := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"stun.turn", "http/1.1"}}
	plain := muxServer(t, listenLocal(t), nil)
	secure := muxServer(t, listenLocal(t), setup)
	over := func(protocols ...string) net.Conn {
		return tls.Client(dial(t, secure), &tls.Config{InsecureSkipVerify: true, NextProtos: protocols})
	}

	t.Run("HTTP", func(t *testing.T) {
		if got := httpSays(t, dial(t, plain), ""); !strings.HasPrefix(got, "http from 127.0.0.1:") {
			t.Errorf("got %q", got)
		}
	})
	t.Run("TURN", func(t *testing.T) { turnEchoes(t, dial(t, plain)) })
	t.Run("HTTPS by protocol name", func(t *testing.T) {
		if got := httpSays(t, over("http/1.1"), ""); !strings.HasPrefix(got, "http from") {
			t.Errorf("got %q", got)
		}
	})
	t.Run("HTTPS by first byte", func(t *testing.T) {
		if got := httpSays(t, over(), ""); !strings.HasPrefix(got, "http from") {
			t.Errorf("got %q", got)
		}
	})
	t.Run("TURN over TLS by protocol name", func(t *testing.T) { turnEchoes(t, over("stun.turn")) })
	t.Run("TURN over TLS by first byte", func(t *testing.T) { turnEchoes(t, over()) })
	t.Run("junk on the TLS port is closed", func(t *testing.T) {
		c := dial(t, secure)
		if _, err := c.Write([]byte("\x00\x01\x02\x03junk")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(c); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %v, want the end of the stream", err)
		}
	})
}

func TestSilentStreamsHoldNobodyUp(t *testing.T) {
	addr := muxServer(t, listenLocal(t), nil)
	for range 200 {
		dial(t, addr)
	}
	if got := httpSays(t, dial(t, addr), ""); !strings.HasPrefix(got, "http from") {
		t.Errorf("got %q", got)
	}
}

// flaky fails its first Accepts as a process out of file descriptors does.
type flaky struct {
	net.Listener
	failures int
}

func (f *flaky) Accept() (net.Conn, error) {
	if f.failures > 0 {
		f.failures--
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return f.Listener.Accept()
}

func TestAcceptErrorsDoNotEndThePort(t *testing.T) {
	addr := muxServer(t, &flaky{listenLocal(t), 3}, nil)
	if got := httpSays(t, dial(t, addr), ""); !strings.HasPrefix(got, "http from") {
		t.Errorf("got %q", got)
	}
}

func TestProxyProtocolIsBelievedFromTrustedNetworksOnly(t *testing.T) {
	const header = "PROXY TCP4 203.0.113.9 203.0.113.1 4711 80\r\n"
	trusting := muxServer(t, proxyProtocol(listenLocal(t), forwarded.Proxies{netip.MustParsePrefix("127.0.0.0/8")}, false), nil)
	if got := httpSays(t, dial(t, trusting), header); got != "http from 203.0.113.9:4711" {
		t.Errorf("from a trusted network: got %q", got)
	}
	asked := muxServer(t, proxyProtocol(listenLocal(t), forwarded.Proxies{netip.MustParsePrefix("127.0.0.0/8")}, false), nil)
	if _, err := http.Get("http://" + asked.String() + "/"); err == nil {
		t.Error("from a trusted network without a header: answered")
	}
	optional := muxServer(t, proxyProtocol(listenLocal(t), forwarded.Proxies{netip.MustParsePrefix("127.0.0.0/8")}, true), nil)
	if got := httpSays(t, dial(t, optional), header); got != "http from 203.0.113.9:4711" {
		t.Errorf("optional, with one: got %q", got)
	}
	check := dial(t, optional)
	if got := httpSays(t, check, ""); got != "http from "+check.LocalAddr().String() {
		t.Errorf("optional, without one: got %q", got)
	}
	wary := muxServer(t, proxyProtocol(listenLocal(t), forwarded.Proxies{netip.MustParsePrefix("10.0.0.0/8")}, false), nil)
	c := dial(t, wary)
	if _, err := io.WriteString(c, header+"GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("from elsewhere: got %d, want 400", res.StatusCode)
	}
}

// writePair stores a fresh self-signed pair for the given address at the two paths.
func writePair(t *testing.T, cert, key string, addr netip.Addr, modified time.Time) {
	t.Helper()
	pair, _, err := selfSigned([]netip.Addr{addr})
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		key:  {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCertificateFilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	cfg := configs.HTTP{TLSCert: filepath.Join(dir, "cert.pem"), TLSKey: filepath.Join(dir, "key.pem")}
	if _, err := newTLS(t.Context(), cfg, "", nil, quiet()); err == nil || !strings.Contains(err.Error(), "http.tls_cert") {
		t.Errorf("without files: got %v, want an error that names http.tls_cert", err)
	}
	first, second := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	now := time.Now().Truncate(time.Second)
	writePair(t, cfg.TLSCert, cfg.TLSKey, first, now)
	files := &certFiles{cert: cfg.TLSCert, key: cfg.TLSKey, log: quiet()}
	serves := func(want netip.Addr) {
		t.Helper()
		files.looked = time.Time{} // as if the second had passed
		pair, err := files.certificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := leaf.VerifyHostname(want.String()); err != nil {
			t.Error(err)
		}
	}
	serves(first)
	if err := os.WriteFile(cfg.TLSKey, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	serves(first)
	writePair(t, cfg.TLSCert, cfg.TLSKey, second, now.Add(time.Minute))
	serves(second)
}
