package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary stand in for duet: the tests below start real processes.
func TestMain(m *testing.M) {
	if os.Getenv("DUET_TEST_AS_COMMAND") != "" {
		os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// duet prepares a process with ports of its own choosing, on loopback, and its state in a fresh folder.
func duet(t *testing.T, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env = append([]string{
		"DUET_TEST_AS_COMMAND=1", "DUET_STATE_DIR=" + t.TempDir(),
		"DUET_HTTP_LISTEN=127.0.0.1:0", "DUET_HTTP_ADMIN_LISTEN=127.0.0.1:0",
		"DUET_TURN_LISTEN=127.0.0.1:0", "DUET_RELAY_LISTEN=127.0.0.1:0",
	}, environ...)
	return cmd
}

// server is a running process.
type server struct {
	cmd        *exec.Cmd
	stderr     *bytes.Buffer
	said       []string // what it printed until it was up
	page, more string   // the page's URL, over TLS if it is on; the admin URL
	plain      string   // the page's URL without TLS
}

func start(t *testing.T, cmd *exec.Cmd) *server {
	t.Helper()
	stderr := new(bytes.Buffer)
	s := startLogging(t, cmd, stderr)
	s.stderr = stderr
	return s
}

// startLogging starts a process whose log goes to w.
func startLogging(t *testing.T, cmd *exec.Cmd, w io.Writer) *server {
	t.Helper()
	s := &server{cmd: cmd}
	cmd.Stderr = w
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		s.said = append(s.said, lines.Text())
		if m := regexp.MustCompile(`^  open +(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			s.page = m[1]
			if strings.HasPrefix(m[1], "http:") {
				s.plain = m[1]
			}
		}
		if m := regexp.MustCompile(`^  admin +(\S+)/metrics`).FindStringSubmatch(lines.Text()); m != nil {
			s.more = m[1]
			go io.Copy(io.Discard, out)
			return s
		}
	}
	cmd.Wait()
	t.Fatalf("the server did not start:\n%v", w)
	return nil
}

// insecure takes any certificate.
func insecure(t *testing.T) *http.Transport {
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func (s *server) get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestServeAnswersAndEndsInOrder(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			s := start(t, duet(t, nil))
			if code, body := s.get(t, s.page+"/"); code != 200 || !strings.Contains(strings.ToLower(body), "<html") {
				t.Errorf("the page: got %d %.80q", code, body)
			}
			if code, body := s.get(t, s.page+"/healthz"); code != 200 || body != "ok\n" {
				t.Errorf("health: got %d %q", code, body)
			}
			if code, body := s.get(t, s.more+"/metrics"); code != 200 || !strings.Contains(body, "duet_build_info") {
				t.Errorf("metrics: got %d %.80q", code, body)
			}
			if code, _ := s.get(t, s.page+"/metrics"); code != 404 {
				t.Errorf("metrics on the public port: got %d, want 404", code)
			}
			began := time.Now()
			if err := s.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := s.cmd.Wait(); err != nil {
				t.Errorf("ended with %v, want exit code 0:\n%s", err, s.stderr)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %s to end, want at most 10 s", took)
			}
		})
	}
}

func TestPlainStreamsOnTheHTTPPortReachTURN(t *testing.T) {
	s := start(t, duet(t, nil))
	c, err := net.Dial("tcp", strings.TrimPrefix(s.page, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	bindingAnswered(t, c)
}

// bindingAnswered asks for a STUN Binding over a stream.
func bindingAnswered(t *testing.T, c net.Conn) {
	t.Helper()
	binding := []byte("\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl")
	if _, err := c.Write(binding); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 20)
	if _, err := io.ReadFull(c, answer); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(answer[:2], []byte{1, 1}) || !bytes.Equal(answer[8:], binding[8:]) {
		t.Errorf("got %x, want a Binding success for %x", answer, binding)
	}
}

func TestTLSPortServesThePageAndSaysSoToHTTP(t *testing.T) {
	s := start(t, duet(t, []string{"DUET_HTTP_LISTEN=", "DUET_HTTP_TLS_LISTEN=127.0.0.1:0", "DUET_HTTP_SELF_SIGNED=true"}))
	if !strings.Contains(strings.Join(s.said, "\n"), "self-signed, SHA-256 ") {
		t.Errorf("got no fingerprint in %q", s.said)
	}
	over := func() *tls.Conn {
		c, err := tls.Dial("tcp", strings.TrimPrefix(s.page, "https://"), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(10 * time.Second))
		return c
	}
	bindingAnswered(t, over())
	if got := httpSays(t, over(), ""); !strings.Contains(strings.ToLower(got), "<html") {
		t.Errorf("the page over TLS: got %.80q", got)
	}
	code, body := s.get(t, strings.Replace(s.page, "https://", "http://", 1))
	if code != 400 || !strings.Contains(body, "https://") {
		t.Errorf("HTTP to the TLS port: got %d %q, want 400 and what to do", code, body)
	}
}

func TestRestartKeepsTheState(t *testing.T) {
	dir := t.TempDir()
	var kept []byte
	for range 2 {
		s := start(t, duet(t, []string{"DUET_STATE_DIR=" + dir}))
		path := filepath.Join(dir, "state.json")
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("state file has mode %v, want 0600", info.Mode().Perm())
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if kept != nil && !bytes.Equal(kept, data) {
			t.Error("the second start changed the state")
		}
		kept = data
		s.cmd.Process.Signal(os.Interrupt)
		if err := s.cmd.Wait(); err != nil {
			t.Errorf("ended with %v:\n%s", err, s.stderr)
		}
	}
}

func TestFaultsAreNamed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, deaf, err := net.SplitHostPort(taken.Addr().String()) // over UDP nobody has it
	if err != nil {
		t.Fatal(err)
	}
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, "state.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	mistyped := filepath.Join(t.TempDir(), "duet.yaml")
	if err := os.WriteFile(mistyped, []byte("http:\n  lisen: :80\nrelay:\n  mode: sometimes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		environ []string
		args    []string
		code    int
		want    []string
	}{
		{"a taken port", []string{"DUET_HTTP_LISTEN=" + taken.Addr().String()}, nil, 1, []string{"http.listen", taken.Addr().String(), "taken"}},
		{"a mistyped file, all faults at once", nil, []string{"serve", "-config", mistyped}, 1, []string{"http.lisen", "did you mean http.listen?", "relay.mode", "sometimes"}},
		{"a file that is not there", nil, []string{"-config", "/nonexistent/duet.yaml"}, 1, []string{"/nonexistent/duet.yaml"}},
		{"a mistyped variable", []string{"DUET_TURN_SECERT=x"}, nil, 1, []string{"DUET_TURN_SECERT", "turn.secret"}},
		{"a STUN server that is not there", []string{"DUET_TURN_PUBLIC_IP=stun:127.0.0.1:" + deaf}, nil, 1, []string{"turn.public_ip", "STUN server 127.0.0.1:" + deaf}},
		{"another one for the relay", []string{"DUET_RELAY_PUBLIC_IP=stun:127.0.0.1:" + deaf}, nil, 1, []string{"relay.public_ip", "STUN server 127.0.0.1:" + deaf}},
		{"no STUN server", []string{"DUET_TURN_PUBLIC_IP=stun:", "DUET_RELAY_PUBLIC_IP=stun:a:b"}, nil, 1, []string{"turn.public_ip", "relay.public_ip"}},
		{"a damaged state file", []string{"DUET_STATE_DIR=" + damaged}, nil, 1, []string{"state.json", "damaged"}},
		{"an unknown command", nil, []string{"dance"}, 2, []string{`"dance"`, "usage:"}},
		{"an argument too many", nil, []string{"serve", "now"}, 2, []string{`"now"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := duet(t, tt.environ, tt.args...)
			out, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != tt.code {
				t.Errorf("exit code %d (%v), want %d", code, err, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("got no %q in:\n%s", want, out)
				}
			}
		})
	}
}

func TestUnwritableStateIsAWarning(t *testing.T) {
	s := start(t, duet(t, []string{"DUET_STATE_DIR=/proc/duet"})) // no user can make a folder there
	s.cmd.Process.Signal(os.Interrupt)
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
	if !strings.Contains(s.stderr.String(), "level=WARN") || !strings.Contains(s.stderr.String(), "state_dir") {
		t.Errorf("got no warning that names state_dir in:\n%s", s.stderr)
	}
}

func TestVersionAndConfig(t *testing.T) {
	out, err := duet(t, nil, "version").Output()
	if err != nil || string(out) != "duet "+version+"\n" {
		t.Errorf("version: got %q, %v", out, err)
	}
	out, err = duet(t, []string{"DUET_TURN_SECRET=a-very-secret-secret-of-32-bytes"}, "config").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "very-secret") || !strings.Contains(string(out), "secret: (set, not shown)") {
		t.Errorf("the secret is not masked:\n%s", out)
	}
}

// freePort is a port that was free a moment ago, for TCP and UDP.
func freePort(t *testing.T) string {
	t.Helper()
	for range 20 {
		l := listenLocal(t)
		pc, err := net.ListenPacket("udp", l.Addr().String())
		l.Close()
		if err == nil {
			pc.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("found no port that is free for TCP and UDP")
	return ""
}
