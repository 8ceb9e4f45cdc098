package hostile

// This file runs the program and reads its metrics.

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var program string // built by TestMain

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "duet-hostile-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "duet")
	code := 1
	// Without the race detector, which makes everything slow and by that hides what an attack costs.
	if out, err := exec.Command("go", "build", "-o", program, "duet/cmd/duet").CombinedOutput(); err != nil {
		fmt.Printf("go build duet/cmd/duet: %v\n%s", err, out)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// relayCalls is how many calls the server relays at a time.
const relayCalls = 60

// server is the running program. It believes the PROXY protocol of loopback, so that its TCP clients have addresses of their
// own, to which its bounds apply as they do outside.
type server struct {
	http, https, turn, admin string
	log                      *logBuffer
}

func startServer(t *testing.T) *server {
	t.Helper()
	return startProgram(t, program, func(*exec.Cmd) {})
}

// startProgram runs a build of it with more settings, which prepare may change.
func startProgram(t *testing.T, program string, prepare func(*exec.Cmd), settings ...string) *server {
	t.Helper()
	s := &server{turn: freeAddr(t), log: &logBuffer{}}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "serve")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	cmd.Env = []string{
		"DUET_STATE_DIR=" + t.TempDir(), "PATH=" + os.Getenv("PATH"),
		"DUET_HTTP_LISTEN=127.0.0.1:0", "DUET_HTTP_ADMIN_LISTEN=127.0.0.1:0",
		"DUET_TURN_LISTEN=" + s.turn, "DUET_TURN_PUBLIC_IP=127.0.0.1",
		"DUET_RELAY_LISTEN=127.0.0.1:0", "DUET_RELAY_MAX_CALLS=" + strconv.Itoa(relayCalls),
		"DUET_HTTP_PROXY_PROTOCOL=127.0.0.0/8", "DUET_HTTP_PROXY_PROTOCOL_OPTIONAL=true",
		"DUET_TURN_SECRET=" + turnSecret,
	}
	cmd.Env = append(cmd.Env, settings...)
	prepare(cmd)
	cmd.Stderr = s.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // its word on being ended is read from the state
		if code := cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("the server ended with %d", code)
		}
		if t.Failed() {
			t.Logf("the server said last:\n%s", s.log.tail())
		}
	})
	page, admin := regexp.MustCompile(`^  open +(https?)://(\S+?)/?$`), regexp.MustCompile(`^  admin +http://(\S+)/metrics`)
	lines := bufio.NewScanner(out)
	for s.admin == "" && lines.Scan() {
		if m := page.FindStringSubmatch(lines.Text()); m != nil {
			if at := strings.Replace(m[2], "localhost", "127.0.0.1", 1); m[1] == "https" {
				s.https = at
			} else {
				s.http = at
			}
		}
		if m := admin.FindStringSubmatch(lines.Text()); m != nil {
			s.admin = m[1]
		}
	}
	if s.http == "" || s.admin == "" {
		t.Fatalf("the server did not start:\n%s", s.log.tail())
	}
	go io.Copy(io.Discard, out)
	return s
}

// freeAddr is an address on loopback with a port that was free for UDP and TCP just now.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		c, err := net.ListenPacket("udp", addr)
		l.Close()
		if err == nil {
			c.Close()
			return addr
		}
	}
	t.Fatal("no port is free for UDP and TCP")
	return ""
}

// metric is the sum of a metric over all labels whose text holds with.
func (s *server) metric(t *testing.T, name, with string) (sum float64) {
	t.Helper()
	resp, err := http.Get("http://" + s.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, name); ok && (rest[0] == '{' || rest[0] == ' ') && strings.Contains(rest, with) {
			v, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			sum += v
		}
	}
	return sum
}

// logBuffer keeps the end of a log.
type logBuffer struct {
	mu sync.Mutex
	b  []byte
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, b...)
	if n := len(l.b) - 1<<20; n > 0 {
		l.b = bytes.Clone(l.b[n:])
	}
	return len(b), nil
}

func (l *logBuffer) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b[max(0, len(l.b)-4000):])
}
