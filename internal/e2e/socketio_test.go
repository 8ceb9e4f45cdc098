//go:build linux

package e2e

// Clients of Socket.IO, as pages and programs use them, against the real program.

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// transports are what clients are told to use; the last is what they do by themselves.
var transports = []string{"websocket", "polling", "polling,websocket"}

// client runs a program of the folder socketio until it ends.
func client(t *testing.T, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// quick settings make several heartbeats of a test.
var quick = []string{"signaling.ping_interval=700ms", "signaling.idle_timeout=5s"}

// TestSocketIOClients: socket.io-client 4 and 2 and python-socketio call each other and the plain WebSocket with the twelve
// messages, over every transport.
func TestSocketIOClients(t *testing.T) {
	s := StartServer(t, append(quick, "signaling.socketio_v2=true")...)
	for _, list := range transports {
		t.Run(list, func(t *testing.T) {
			client(t, "node", "socketio/call.mjs", s.URL, list)
			client(t, "node", "socketio/call.mjs", s.URL, list, "v2")
			client(t, "/usr/bin/python3", "socketio/call.py", s.URL, list)
		})
	}
}

// TestSocketIOBehindNginx: the same through nginx, configured as the README has it but for TLS.
func TestSocketIOBehindNginx(t *testing.T) {
	s := StartServer(t, append(quick, "signaling.trusted_proxies="+Host()+"/32,127.0.0.1/32")...)
	dir, port := t.TempDir(), freePort(t)
	block := strings.NewReplacer("127.0.0.1:8080", Host()+":"+s.HTTPPort, "listen 443 ssl", "listen "+port).Replace(readmeBlock(t, "nginx"))
	var kept strings.Builder
	for line := range strings.Lines(block) {
		if !strings.Contains(line, "ssl_") {
			kept.WriteString(line)
		}
	}
	config := "daemon off; master_process off; pid " + dir + "/pid; error_log " + dir + "/error;\nevents {}\nhttp {\naccess_log off; client_body_temp_path " + dir + "/a; proxy_temp_path " + dir +
		"/b; fastcgi_temp_path " + dir + "/c; uwsgi_temp_path " + dir + "/d; scgi_temp_path " + dir + "/e;\n" + kept.String() + "}\n"
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var out Log
	cmd := exec.Command("nginx", "-e", dir+"/error", "-c", file)
	cmd.Stdout, cmd.Stderr = &out, &out
	proxy, err := start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.kill)
	base := "http://127.0.0.1:" + port + "/"
	for deadline := time.Now().Add(20 * time.Second); ; {
		if res, err := http.Get(base + "healthz"); err == nil {
			res.Body.Close()
			break
		}
		if proxy.wait(50*time.Millisecond) || time.Now().After(deadline) {
			t.Fatalf("nginx does not answer\n%s\n%s", config, out.tail(50))
		}
	}
	for _, list := range transports {
		client(t, "node", "socketio/call.mjs", base, list)
	}
}

// TestSocketIORecovery: a lost connection comes back with what it missed, and a server that has ended, in order or not,
// is found again by itself.
func TestSocketIORecovery(t *testing.T) {
	for _, list := range transports {
		t.Run(list, func(t *testing.T) {
			s := StartServer(t, quick...)
			cmd := exec.CommandContext(t.Context(), "node", "socketio/recover.mjs", s.URL, list)
			var said Log
			cmd.Stderr = &said
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for lines := bufio.NewScanner(out); lines.Scan(); io.WriteString(in, "done\n") {
				switch lines.Text() {
				case "kill":
					s.Kill()
				case "stop":
					s.Stop()
				case "start":
					s.Restart()
				}
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v\n%s", err, said.tail(30))
			}
		})
	}
}

// TestSocketIOClientFiles: what pages load is the client that npm has, unchanged.
func TestSocketIOClientFiles(t *testing.T) {
	s := StartServer(t)
	const dist = "../../.ci/node_modules/socket.io-client/"
	for _, name := range []string{"socket.io.js", "socket.io.min.js", "socket.io.esm.min.js"} {
		want, err := os.ReadFile(dist + "dist/" + name)
		if err != nil {
			t.Fatal(err)
		}
		get := func(header, value string) (*http.Response, string) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"socket.io/"+name, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set(header, value)
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			return res, string(body)
		}
		res, body := get("Accept", "*/*") // the transport asks for gzip and unpacks it
		if body != string(want) || !res.Uncompressed {
			t.Errorf("%s: %s, %d bytes, want those of npm, %d, compressed", name, res.Status, len(body), len(want))
		}
		if res, body := get("Accept-Encoding", "identity"); body != string(want) || res.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s, not compressed: %s, %d bytes", name, res.Status, len(body))
		}
		if res, _ := get("If-None-Match", res.Header.Get("ETag")); res.StatusCode != http.StatusNotModified {
			t.Errorf("%s, again: %s", name, res.Status)
		}
	}
	licence, err := os.ReadFile(dist + "LICENSE")
	if kept, err2 := os.ReadFile("../../signaling/socketio/client/LICENSE"); err != nil || err2 != nil || string(kept) != string(licence) {
		t.Errorf("the licence is not that of the files: %v, %v", err, err2)
	}
}

// exampleURL serves the example's page in front of the server.
func exampleURL(t *testing.T, s *Server) string {
	t.Helper()
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	through := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host }}
	mux := http.NewServeMux()
	mux.Handle("/", through)
	mux.HandleFunc("/example", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, "../../examples/socketio/index.html")
	})
	listener, err := net.Listen("tcp", net.JoinHostPort(Host(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mux}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return "http://" + listener.Addr().String() + "/"
}

// pictures are the frames that the example's page has shown of the other side.
func pictures(b *Browser) int {
	b.t.Helper()
	return JS[int](b, `document.querySelector('[data-testid="remote"]')?.getVideoPlaybackQuality().totalVideoFrames ?? 0`)
}

func (b *Browser) entersExample() {
	b.t.Helper()
	b.Open("example")
	b.Click("name")
	b.step("type the name", func(ctx context.Context) error { return b.page.keys(ctx, b.Name) })
	b.Click("join")
}

// TestSocketIOPage: the example's page calls itself and ours, with pictures both ways.
func TestSocketIOPage(t *testing.T) {
	s := StartServer(t)
	base := exampleURL(t, s)
	ann, bob := StartBrowser(t, s, "Ann", BrowserOptions{URL: base}), StartBrowser(t, s, "Bob", BrowserOptions{URL: base})
	for _, b := range []*Browser{ann, bob} {
		b.entersExample()
	}
	ann.Click("call-Bob")
	bob.Click("accept")
	for _, b := range []*Browser{ann, bob} {
		b.Eventually("pictures", patience, func() bool { return pictures(b) > 20 })
	}
	ann.Click("end")
	bob.Eventually("the call has ended", patience, func() bool { return strings.Contains(bob.Text("status"), "hangup") })

	cat := StartBrowser(t, s, "Cat", BrowserOptions{})
	cat.Open("")
	cat.Login("virtual")
	bob.Click("call-Cat")
	cat.Accept()
	bob.Eventually("pictures of our page", patience, func() bool { return pictures(bob) > 20 })
	cat.Eventually("pictures of the example", patience, func() bool { return cat.Flow().Frames > 20 })
}
