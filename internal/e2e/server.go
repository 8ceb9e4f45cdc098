//go:build linux

package e2e

// The real program: built once, run with its defaults but for ports and places.

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Server is one run of the program, and after Restart the next one at the same ports with the same state.
type Server struct {
	URL       string // of the page
	HTTPPort  string
	TLSPort   string // where nothing listens but by the settings
	TURNPort  string
	RelayPort string
	Output    *Log

	t   testing.TB
	env []string
	p   *process
}

// programVar hands the program from the process that built it to the one in the namespaces, which reaches no module proxy.
const programVar = "DUET_TEST_PROGRAM"

// build makes the program, with the race detector, in a folder that the caller removes.
func build() (dir string, err error) {
	dir, err = os.MkdirTemp("", "duet-e2e-")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-race", "-o", filepath.Join(dir, "duet"), "duet/cmd/duet")
	if out, err := cmd.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("go build duet/cmd/duet: %w\n%s", err, out)
	}
	return dir, nil
}

// Program is the path of the program, which Main has built.
func Program(t testing.TB) string {
	t.Helper()
	dir := os.Getenv(programVar)
	if dir == "" {
		t.Fatal("no program: the package's TestMain does not call e2e.Main")
	}
	return filepath.Join(dir, "duet")
}

// StartServer runs the program until the test ends; settings are configuration keys with values, as "relay.mode=always".
// In a value {tls} stands for the address of TLSPort, {turn} for TURN's port on all addresses.
// At the end it must stop in good order and must have had no data race.
func StartServer(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := &Server{t: t, Output: &Log{}, HTTPPort: freePort(t), TLSPort: freePort(t), TURNPort: freePort(t), RelayPort: freePort(t)}
	s.URL = "http://" + net.JoinHostPort(Host(), s.HTTPPort) + "/"
	base := []string{
		"http.listen=" + net.JoinHostPort(Host(), s.HTTPPort),
		"http.admin_listen=",
		"turn.listen=:" + s.TURNPort,
		"relay.listen=:" + s.RelayPort,
		"state_dir=" + t.TempDir(),
		"log.level=debug",
	}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "DUET_") {
			s.env = append(s.env, kv)
		}
	}
	for _, setting := range append(base, settings...) {
		if setting == "relay.listen={turn}" {
			s.RelayPort = s.TURNPort
		}
		key, value, ok := strings.Cut(strings.NewReplacer("{tls}", net.JoinHostPort(Host(), s.TLSPort), "{turn}", ":"+s.TURNPort).Replace(setting), "=")
		if !ok {
			t.Fatalf("setting %q is not key=value", setting)
		}
		s.env = append(s.env, "DUET_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))+"="+value)
	}
	s.start()
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("the server said:\n%s", s.Output.tail(150))
		}
	})
	return s
}

func (s *Server) start() {
	s.t.Helper()
	cmd := exec.Command(Program(s.t), "serve")
	cmd.Env = s.env
	cmd.Stdout, cmd.Stderr = s.Output, s.Output
	p, err := start(cmd)
	if err != nil {
		s.t.Fatal(err)
	}
	s.p = p
	deadline := time.Now().Add(20 * time.Second)
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		if resp, err := client.Get(s.URL + "healthz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if p.wait(20 * time.Millisecond) {
			s.t.Fatalf("the server ended at once: %v\n%s", p.err, s.Output.tail(50))
		}
		if time.Now().After(deadline) {
			p.kill()
			s.t.Fatalf("the server does not answer %shealthz\n%s", s.URL, s.Output.tail(50))
		}
	}
}

// Kill ends the program as a crash would.
func (s *Server) Kill() {
	s.p.signal(syscall.SIGKILL)
	<-s.p.done
}

// Restart runs the program again after Kill or Stop.
func (s *Server) Restart() {
	s.t.Helper()
	s.start()
}

// Memory is the program's resident memory in bytes.
func (s *Server) Memory() int64 {
	s.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.p.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	var kib int64
	if _, rest, ok := strings.Cut(string(status), "VmRSS:"); ok {
		if _, err := fmt.Sscan(rest, &kib); err != nil {
			s.t.Fatal(err)
		}
	}
	return kib << 10
}

// Stop ends the program as an operator would, and holds it to its word: exit code 0 within 10 s.
func (s *Server) Stop() {
	s.t.Helper()
	if s.p.wait(0) {
		if _, killed := s.p.err.(*exec.ExitError); killed && s.p.cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
			s.healthy()
			return // by Kill
		}
		if s.p.err != nil {
			s.t.Errorf("the server had ended: %v\n%s", s.p.err, s.Output.tail(50))
		}
		return
	}
	s.p.signal(syscall.SIGTERM)
	if !s.p.wait(12 * time.Second) {
		s.p.signal(syscall.SIGQUIT) // the goroutines' stacks tell what it waits for
		s.p.wait(2 * time.Second)
		s.t.Errorf("the server did not stop within 10 s of SIGTERM")
		s.p.kill()
	} else if s.p.err != nil {
		s.t.Errorf("the server stopped with %v, want exit code 0", s.p.err)
	}
	s.healthy()
}

// healthy: no data race, and nothing that an operator would have to see to.
func (s *Server) healthy() {
	s.t.Helper()
	out := s.Output.String()
	if strings.Contains(out, "WARNING: DATA RACE") {
		_, report, _ := strings.Cut(out, "WARNING: DATA RACE")
		s.t.Errorf("the server has a data race:\n%.6000s", report)
	}
	for line := range strings.Lines(out) {
		if strings.Contains(line, "level=ERROR") {
			s.t.Errorf("the server has an error: %s", line)
		}
	}
}

// relayPort is the port by which a candidate of the relay is known.
func (s *Server) relayPort() int {
	n, err := strconv.Atoi(s.RelayPort)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// serve answers at a port of the test's own until it ends, and gives the address.
func serve(t testing.TB, port string, h http.Handler) string {
	t.Helper()
	at := net.JoinHostPort(Host(), port)
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return "http://" + at + "/"
}
