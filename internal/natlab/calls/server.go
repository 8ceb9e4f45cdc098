//go:build linux

// The real program, in a host of its own.

package calls

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"duet/internal/e2e"
	"duet/internal/natlab"
)

// programVar names the program that Main has built.
const programVar = "NATLAB_PROGRAM"

// Main builds the program and runs the package's tests: for TestMain.
func Main(m *testing.M) int {
	if natlab.Available() != nil {
		return m.Run() // every test says why it is left out, or fails
	}
	f, err := build()
	if err != nil {
		fmt.Fprintln(os.Stderr, "calls:", err)
		return 1
	}
	defer f.Close()
	os.Setenv(programVar, fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd()))
	return m.Run()
}

// build makes the program, as a file that has no name any more and so is gone with this process, however it ends. It is
// built without the race detector, unlike that of internal/e2e: times are measured here.
func build() (*os.File, error) {
	dir, err := os.MkdirTemp("", "duet-natlab-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "duet")
	if out, err := exec.Command("go", "build", "-o", program, "duet/cmd/duet").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build duet/cmd/duet: %w\n%s", err, out)
	}
	return os.Open(program)
}

const (
	serverName = "call.example"
	tlsPort    = "443"
	turnPort   = "3478"
	relayPort  = "3480"
)

// A Server is the program with its defaults but for TLS, and what Settings say.
type Server struct {
	Host   *natlab.Host
	Output *e2e.Log

	t    testing.TB
	env  []string
	cmd  *exec.Cmd
	done chan error
}

func newServer(t testing.TB, h *natlab.Host, dir, certFile, keyFile string, settings []string) *Server {
	t.Helper()
	s := &Server{Host: h, Output: &e2e.Log{}, t: t}
	base := []string{
		"http.listen=:8080", "http.tls_listen=:" + tlsPort, "http.tls_cert=" + certFile, "http.tls_key=" + keyFile,
		"http.admin_listen=127.0.0.1:9080", "turn.listen=:" + turnPort, "relay.listen=:" + relayPort,
		"state_dir=" + filepath.Join(dir, "state"), "log.level=debug",
	}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "DUET_") {
			s.env = append(s.env, kv)
		}
	}
	for _, setting := range append(base, settings...) {
		key, value, _ := strings.Cut(setting, "=")
		s.env = append(s.env, "DUET_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))+"="+value)
	}
	s.Start()
	return s
}

// Start runs the program and waits until it answers.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = s.Host.Command(context.Background(), os.Getenv(programVar), "serve")
	s.cmd.Env = s.env
	s.cmd.Stdout, s.cmd.Stderr = s.Output, s.Output
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("start the server: %v", err)
	}
	s.done = make(chan error, 1)
	go func() { s.done <- s.cmd.Wait() }()
	for end := time.Now().Add(15 * time.Second); ; <-time.After(20 * time.Millisecond) {
		if text, err := s.get("http://127.0.0.1:8080/healthz"); err == nil && text != "" {
			return
		}
		select {
		case err := <-s.done:
			s.t.Fatalf("the server ended at once: %v\n%s", err, s.Output)
		default:
		}
		if time.Now().After(end) {
			s.t.Fatalf("the server does not answer\n%s", s.Output)
		}
	}
}

// Stop ends the program, by SIGTERM as an operator does or, killed, as a crash does.
func (s *Server) Stop(killed bool) {
	s.t.Helper()
	sig := syscall.SIGTERM
	if killed {
		sig = syscall.SIGKILL
	}
	_ = s.cmd.Process.Signal(sig) // the wait tells
	select {
	case err := <-s.done:
		if err != nil && !killed {
			s.t.Errorf("the server ended with %v, want exit code 0:\n%s", err, tail(s.Output.String(), 20))
		}
	case <-time.After(12 * time.Second):
		s.t.Errorf("the server did not end within 12 s of %v", sig)
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// tell writes all that the server has said into a file beside the browsers' pictures, and its last lines into the test's log.
func (s *Server) tell(name string) {
	s.t.Helper()
	text := s.Output.String()
	file := filepath.Join("shots", "server-"+strings.NewReplacer("/", "-", " ", "-", ":", "").Replace(name)+".log")
	err := os.MkdirAll("shots", 0o755)
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o644)
	}
	s.t.Logf("the server said (all of it in %s, %v):\n%s", file, err, tail(text, 40))
}

// get reads a page of the server from inside its host.
func (s *Server) get(url string) (string, error) {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return s.Host.Dial(ctx, network, addr)
		},
	}}
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, resp.Status)
	}
	return string(body), err
}
