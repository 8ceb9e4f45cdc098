//go:build linux

package e2e

// Real reverse proxies in front of the real program, configured with the very lines of the README.

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// readmeBlock is the indented text that follows a line of the README.
func readmeBlock(t *testing.T, after string) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n"+after+"\n\n")
	if !ok {
		t.Fatalf("the README has no line %q", after)
	}
	var block strings.Builder
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "    ") {
			break
		}
		block.WriteString(line[4:])
	}
	return block.String()
}

// certificate writes a pair for call.example.org: the certificate with its key behind it, and the key.
func certificate(t *testing.T, dir string) (pemFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"call.example.org"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), private...)
	pemFile, keyFile = filepath.Join(dir, "call.pem"), filepath.Join(dir, "call.key")
	for file, data := range map[string][]byte{pemFile: both, keyFile: private} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return pemFile, keyFile
}

// proxied is a way to the server by a proxy that serves call.example.org at a port.
type proxied struct {
	t    *testing.T
	port string
}

// dial opens a TLS connection from one of this machine's own addresses, which stands for a client's.
func (p proxied) dial(from string) (net.Conn, error) {
	d := tls.Dialer{
		NetDialer: &net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}},
		Config:    &tls.Config{InsecureSkipVerify: true, ServerName: "call.example.org", NextProtos: []string{"http/1.1"}},
	}
	c, err := d.DialContext(p.t.Context(), "tcp", "127.0.0.1:"+p.port)
	if err == nil {
		p.t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
	}
	return c, err
}

// ask sends a request for a path with further header lines, and returns the answer with its connection.
func (p proxied) ask(from, path string, lines ...string) (*http.Response, string, error) {
	c, err := p.dial(from)
	if err != nil {
		return nil, "", err
	}
	host := "call.example.org:" + p.port
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", path, host, strings.Join(append(lines, ""), "\r\n")); err != nil {
		return nil, "", err
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode == http.StatusSwitchingProtocols {
		return res, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

// join asks for a WebSocket as a page of an origin does.
func (p proxied) join(from, path, origin string) int {
	p.t.Helper()
	res, _, err := p.ask(from, path, "Origin: "+origin, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
	if err != nil {
		p.t.Fatal(err)
	}
	return res.StatusCode
}

func TestReverseProxies(t *testing.T) {
	below := func(path string) func(string) string {
		return func(nginx string) string { return strings.Replace(nginx, "location /", "location "+path, 1) }
	}
	same := func(s string) string { return s }
	inPath := func(caddy string) string {
		path := readmeBlock(t, "Below a path, write `location /call/` in nginx, which sends `/call` to `/call/` by itself, and in Caddy, inside the braces,")
		return strings.Replace(caddy, "    reverse_proxy 127.0.0.1:8080\n", path, 1)
	}
	nginx := func(dir, config string) (string, []string) {
		return "daemon off; master_process off; pid " + dir + "/pid; error_log " + dir + "/error;\nevents {}\nhttp {\naccess_log off; client_body_temp_path " + dir + "/a; proxy_temp_path " + dir +
			"/b; fastcgi_temp_path " + dir + "/c; uwsgi_temp_path " + dir + "/d; scgi_temp_path " + dir + "/e;\n" + config + "}\n", []string{"nginx", "-e", dir + "/error", "-c"}
	}
	caddy := func(dir, config string) (string, []string) {
		config = regexp.MustCompile(`(?m)^(call\.example\.org:\d+) \{$`).ReplaceAllString(config, "https://$1 {\n    tls "+dir+"/call.pem "+dir+"/call.key")
		return "{\n    admin off\n    auto_https disable_redirects\n    storage file_system " + dir + "\n}\n" + config, []string{"caddy", "run", "--adapter", "caddyfile", "--config"}
	}
	haproxy := func(_, config string) (string, []string) { return config, []string{"haproxy", "-db", "-f"} }
	for _, tt := range []struct {
		name, block, base string
		change            func(string) string
		run               func(dir, config string) (string, []string)
	}{
		{"nginx", "nginx", "", same, nginx},
		{"nginx, below a path", "nginx", "/call", below("/call/"), nginx},
		{"Caddy", "Caddy", "", same, caddy},
		{"Caddy, below a path", "Caddy", "/call", inPath, caddy},
		{"HAProxy", "HAProxy", "", same, haproxy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The client's address counts: one connection for each.
			s := StartServer(t, "signaling.trusted_proxies="+Host()+"/32,127.0.0.1/32", "signaling.max_connections_per_ip=1")
			p := proxied{t, freePort(t)}
			dir := t.TempDir()
			pemFile, keyFile := certificate(t, dir)
			config := strings.NewReplacer("127.0.0.1:8080", net.JoinHostPort(Host(), s.HTTPPort), "listen 443", "listen "+p.port, "bind :443", "bind :"+p.port,
				"call.example.org {", "call.example.org:"+p.port+" {", "/etc/ssl/call.pem", pemFile, "/etc/ssl/call.key", keyFile).Replace(tt.change(readmeBlock(t, tt.block)))
			config, command := tt.run(dir, config)
			file := filepath.Join(dir, "config")
			if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			program, err := exec.LookPath(command[0])
			if err != nil {
				t.Fatalf("%v: .ci/deps installs it", err)
			}
			cmd := exec.Command(program, append(command[1:], file)...)
			cmd.Env = append(os.Environ(), "HOME="+dir)
			var out Log
			cmd.Stdout, cmd.Stderr = &out, &out
			proxy, err := start(cmd)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(proxy.kill)

			var body string
			for deadline := time.Now().Add(20 * time.Second); ; {
				var res *http.Response
				if res, body, err = p.ask("127.0.0.5", tt.base+"/"); err == nil && res.StatusCode == http.StatusOK {
					break
				}
				if proxy.wait(50*time.Millisecond) || time.Now().After(deadline) {
					t.Fatalf("no page: %v, %v\n%s\n%s", res, err, config, out.tail(50))
				}
			}
			if !strings.Contains(body, `src="app.js"`) {
				t.Errorf("the page is %.200q", body)
			}
			if res, _, err := p.ask("127.0.0.5", tt.base+"/app.js"); err != nil || res.StatusCode != http.StatusOK {
				t.Errorf("its program: %v, %v", res, err)
			}
			if tt.base != "" {
				res, _, err := p.ask("127.0.0.5", tt.base)
				if err != nil || res.StatusCode/100 != 3 || !strings.HasSuffix(res.Header.Get("Location"), tt.base+"/") {
					t.Errorf("without the slash: %v, %v", res, err)
				}
			}
			own := "https://call.example.org:" + p.port
			for _, ask := range []struct {
				from, origin string
				code         int
			}{
				{"127.0.0.2", own, 101}, {"127.0.0.3", own, 101}, {"127.0.0.2", own, 429}, {"127.0.0.4", "https://evil.example", 403}, {"127.0.0.4", "https://evil.example:" + p.port, 403},
			} {
				if got := p.join(ask.from, tt.base+"/ws", ask.origin); got != ask.code {
					t.Errorf("a page of %s, from %s: got %d, want %d", ask.origin, ask.from, got, ask.code)
				}
			}
			if said := s.Output.String(); !strings.Contains(said, "a page may not connect") || !strings.Contains(said, "https://evil.example") {
				t.Error("the log does not tell who was refused")
			}
		})
	}
}
