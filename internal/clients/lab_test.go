//go:build linux

package clients

// A lab: a server, the page in a browser, and one client; what can be done with them, and what is seen.

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"duet/internal/e2e"
)

// status is what a client says of itself; doc.go has the words.
type status struct {
	Joined             bool
	Call, Ended, Error string
	State              string
	Peer               struct{ Audio, Video bool }
	Audio, Video, Data int
}

// client is one client at work.
type client struct {
	name   string
	status func() status
	do     func(line string)
	signal func(syscall.Signal) // nil in a browser
}

type lab struct {
	t      *attempt
	server *e2e.Server
	page   *e2e.Browser // nil when two clients call each other
	client *client
	homes  [2]*home // of the page, and of the client
}

// process is a client in a process of its own.
func process(t testing.TB, name, dir string, command []string, s *e2e.Server, h *home, o options) *client {
	t.Helper()
	cmd := exec.Command(command[0], append(command[1:len(command):len(command)], wsURL(s), name, o.String())...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+o.cert, "NODE_EXTRA_CA_CERTS="+o.cert, "PYTHONDONTWRITEBYTECODE=1")
	h.wrap(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said := run(t, name, cmd)
	c := &client{name: name}
	c.do = func(line string) {
		if _, err := io.WriteString(in, line+"\n"); err != nil {
			t.Errorf("tell %s to %s: %v", name, line, err)
		}
	}
	c.status = func() (st status) {
		text := []byte(said.String())
		end := bytes.LastIndexByte(text, '\n')
		for end > 0 {
			start := bytes.LastIndexByte(text[:end], '\n') + 1
			if json.Unmarshal(text[start:end], &st) == nil {
				return st
			}
			end = start - 1
		}
		return st
	}
	c.signal = func(sig syscall.Signal) { syscall.Kill(-cmd.Process.Pid, sig) }
	until(t, patience, name+" joins", func() bool { return c.status().Joined })
	return c
}

func wsURL(s *e2e.Server) string { return strings.Replace(s.URL, "http", "ws", 1) + "ws" }

// stock is a browser with a page of one RTCPeerConnection, in a home or, without one, beside the server.
func stock(t testing.TB, name string, s *e2e.Server, h *home, o options, start func(testing.TB, *e2e.Server, string, e2e.BrowserOptions) *e2e.Browser) *client {
	t.Helper()
	var script strings.Builder
	script.WriteString("if (location.pathname.endsWith('favicon.svg')) {\n")
	for _, name := range []string{"session", "w3c", "browser"} {
		text, err := os.ReadFile("drivers/" + name + ".mjs")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "import ") {
				script.WriteString(strings.TrimPrefix(line, "export "))
			}
		}
	}
	script.WriteString("}\n")
	of := e2e.BrowserOptions{Scripts: []string{script.String()}}
	if h != nil {
		of.Wrap = h.wrap
	}
	b := start(t, s, name, of)
	b.Open("favicon.svg")
	e2e.JS[any](b, "stock.start('"+wsURL(s)+"', '"+name+"', "+o.String()+")")
	c := &client{name: name}
	c.do = func(line string) { e2e.JS[any](b, "stock.line('"+line+"')") }
	c.status = func() (st status) {
		if err := json.Unmarshal([]byte(e2e.JS[string](b, "stock.status")), &st); err != nil {
			t.Fatal(err)
		}
		return st
	}
	until(t, patience, name+" joins", func() bool { return c.status().Joined })
	return c
}

// options are what a client is told to do.
type options struct {
	Path  string `json:"path"`
	Media string `json:"media"`
	Relay bool   `json:"relay"`
	cert  string // the file of the server's certificate
}

func (o options) String() string {
	text, _ := json.Marshal(o) // of strings and a boolean
	return string(text)
}

// certificate writes the server's certificate into a file.
func certificate(t testing.TB, s *e2e.Server) (file, keyHash string) {
	t.Helper()
	c, err := tls.Dial("tcp", net.JoinHostPort(e2e.Host(), s.TLSPort), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cert := c.ConnectionState().PeerCertificates[0]
	file = filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return file, base64.StdEncoding.EncodeToString(sum[:])
}

// onlyTURN leaves a page one way to TURN.
func onlyTURN(transport string) string {
	return `(() => {
  const Native = window.RTCPeerConnection
  const filter = (c) => ({ ...c, iceServers: (c?.iceServers ?? [])
    .map((s) => ({ ...s, urls: [s.urls].flat().filter((u) => /^turn:/.test(u) && u.endsWith('transport=` + transport + `')) })).filter((s) => s.urls.length > 0) })
  window.RTCPeerConnection = class extends Native {
    constructor(c) { super(filter(c)) }
    setConfiguration(c) { return super.setConfiguration(filter(c)) }
  }
})()`
}

// both begins a call, from the page or from the client, and sees that media flows both ways.
func (l *lab) both(fromPage bool) {
	l.t.Helper()
	l.ring(fromPage)
	l.flows()
}

func (l *lab) ring(fromPage bool) {
	l.t.Helper()
	l.idle()
	if fromPage {
		l.page.Call(l.client.name)
	} else {
		l.client.do("call " + l.page.Name)
		l.page.Accept()
	}
	until(l.t, patience, "the client is in the call", func() bool { return l.client.status().Call == "accepted" })
}

// idle waits until neither end is in a call.
func (l *lab) idle() {
	l.t.Helper()
	until(l.t, patience, "both ends are idle", func() bool { return !l.page.InCall() && l.client.status().Call == "none" })
}

// flows waits until sound and pictures come at both ends from now on.
func (l *lab) flows() time.Duration {
	l.t.Helper()
	a, b := l.page.Flow(), l.client.status()
	var missing string
	start := time.Now()
	for ; time.Since(start) < 20*time.Second; time.Sleep(50 * time.Millisecond) {
		now, c := l.page.Flow(), l.client.status()
		// A connection that was closed is no longer counted.
		a.Frames, a.AudioBytes = min(a.Frames, now.Frames), min(a.AudioBytes, now.AudioBytes)
		missing = ""
		for _, m := range []struct {
			what string
			less bool
		}{
			{"pictures at the page", now.Frames < a.Frames+3}, {"sound at the page", now.AudioBytes < a.AudioBytes+200},
			{"pictures at the client", c.Video < b.Video+3}, {"sound at the client", c.Audio < b.Audio+10},
		} {
			if m.less {
				missing += ", no " + m.what
			}
		}
		if missing == "" {
			return time.Since(start)
		}
	}
	l.t.Fatalf("within 20 s%s; the page says %q, the client is %q %s", missing, l.page.Text("status"), l.client.status().State, l.client.status().Error)
	return 0
}

// says waits until the page's status begins like that.
func (l *lab) says(prefix string) {
	l.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !strings.HasPrefix(l.page.Text("status"), prefix) {
		if time.Now().After(deadline) {
			l.t.Fatalf("the page says %q, not %q", l.page.Text("status"), prefix)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
