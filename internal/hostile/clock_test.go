package hostile

// This file sets the server's clock: the program is built with a time.Now that can be told to be wrong, and with nothing else
// changed, so that everything that expires by the calendar does, in calls that go on. Durations pass as ever.

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/stun/v2"
)

const (
	day = 24 * time.Hour
	// newcomersOnly is a window in which somebody comes, and no more.
	newcomersOnly = time.Millisecond
)

// The parts that are put into the build: a variable beside time.Now, and what lets a test set it.
const (
	offsetSource = `package time

import "sync/atomic"

var Offset atomic.Int64
`
	setterSource = `package main

import (
	"fmt"
	"os"
	"time"
)

func init() {
	in, out := os.NewFile(3, "set"), os.NewFile(4, "done")
	go func() {
		for {
			var seconds int64
			if _, err := fmt.Fscanln(in, &seconds); err != nil {
				return
			}
			time.Offset.Store(seconds)
			fmt.Fprintln(out, seconds)
		}
	}()
}
`
)

// buildWithClock builds the program so.
func buildWithClock(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "time", "duet/cmd/duet").Output()
	if err != nil {
		t.Fatal(err)
	}
	dirs := strings.Fields(string(out))
	source, err := os.ReadFile(filepath.Join(dirs[0], "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	const read = "sec, nsec, mono := runtimeNow()\n"
	now := strings.Index(string(source), "\nfunc Now() Time {")
	at := now + strings.Index(string(source[now:]), read)
	if now < 0 || at < now || at > now+100 {
		t.Fatal("this Go's time.Now is written in another way: see how it reads the clock")
	}
	at += len(read)
	replace := map[string]string{}
	for name, text := range map[string]string{
		filepath.Join(dirs[0], "time.go"):     string(source[:at]) + "\tsec += Offset.Load()\n" + string(source[at:]),
		filepath.Join(dirs[0], "offset.go"):   offsetSource,
		filepath.Join(dirs[1], "setclock.go"): setterSource,
	} {
		file := filepath.Join(dir, fmt.Sprint(len(replace), ".go"))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[name] = file
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file, built := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "duet")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-overlay", file, "-o", built, "duet/cmd/duet").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return built
}

// clock is the server's.
type clock struct {
	t      *testing.T
	set    *os.File
	done   *bufio.Reader
	offset time.Duration
}

// newClock gives a program that is not started yet the ends of its pipes.
func newClock(t *testing.T, cmd *exec.Cmd) *clock {
	t.Helper()
	setRead, set, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done, doneWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close(); done.Close() })
	cmd.ExtraFiles = []*os.File{setRead, doneWrite}
	return &clock{t: t, set: set, done: bufio.NewReader(done)}
}

func (c *clock) jump(to time.Duration) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.set, int64(to.Seconds())); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.done.ReadString('\n'); err != nil {
		c.t.Fatal(err)
	}
	c.offset = to
}

func (c *clock) now() time.Time { return time.Now().Add(c.offset) }

// TestYear: users are in calls for a year, of which each day begins with a jump of the clock; before that it is set forth and
// back. Nobody loses anything, whoever comes gets everything, and what was given for a time is not taken for longer.
func TestYear(t *testing.T) {
	var c *clock
	s := startProgram(t, buildWithClock(t), func(cmd *exec.Cmd) { c = newClock(t, cmd) },
		"DUET_HTTP_TLS_LISTEN="+freeAddr(t), "DUET_HTTP_SELF_SIGNED=true", "DUET_HTTP_REDIRECT=false")
	w := newWorld(t, s, 4, 10)
	w.window(time.Second) // the first packets bind channels

	old := newStayer(t, s)
	check := func(when string, length time.Duration) {
		t.Helper()
		if faults := judge(outcome{}, w.window(length), false); len(faults) > 0 {
			t.Errorf("%s: %q", when, faults)
		}
		old.stays(when)
		s.validTLS(t, when, c.now())
		if length > newcomersOnly {
			s.relaysAnew(t, when)
		}
	}
	check("at first", time.Second)
	for _, to := range []time.Duration{time.Hour, 0, -time.Hour, time.Hour, 0, -day, 0} {
		c.jump(to)
		check(fmt.Sprintf("the clock is off by %s", to), 300*time.Millisecond)
	}
	for d := range 366 {
		c.jump(time.Duration(d) * day)
		length := newcomersOnly
		if d%61 == 0 {
			length = 500 * time.Millisecond
		}
		check(fmt.Sprintf("on day %d", d), length)
		if t.Failed() {
			return
		}
	}
	old.isNotNew()
	c.jump(-30 * day)
	check("a month before it all began", 300*time.Millisecond)
}

// relaysAnew brings a new call to the relay, which shows its certificate.
func (s *server) relaysAnew(t *testing.T, when string) {
	t.Helper()
	_, ip := honest(61_000)
	c, err := s.call(ip, ip, "anew")
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	defer c.close()
	ignore := func(*rtp.Packet) {}
	a, b, err := c.throughRelay(ignore, ignore)
	if err != nil {
		t.Errorf("%s: %v", when, err)
		return
	}
	a.close()
	b.close()
}

// stayer is a user who is here for the whole time: with a session that is resumed each day, an allocation from the first day,
// and its credential.
type stayer struct {
	t             *testing.T
	s             *server
	w             *wire
	ip            string
	id, session   string
	user, pass    string
	turn          *client
	ack           float64
	firstUserPass [2]string
}

func newStayer(t *testing.T, s *server) *stayer {
	t.Helper()
	_, ip := honest(60_000)
	w, welcome, err := s.join(ip, "stayer", "resume", "presence-none", "call-state")
	if err != nil {
		t.Fatal(err)
	}
	y := &stayer{t: t, s: s, w: w, ip: ip}
	y.isCalled()
	y.welcomed(welcome)
	y.id, _ = welcome["id"].(string)
	y.firstUserPass = [2]string{y.user, y.pass}
	if y.turn, err = s.rawClient(ip, y.user, y.pass); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { y.turn.conn.Close(); y.w.ws.Close() })
	if code, err := y.turn.ask(stun.MethodAllocate, udpRelay); err != nil || code != 0 {
		t.Fatalf("allocate: %d, %v", code, err)
	}
	return y
}

// isCalled has somebody call, since an allocation leads nowhere but to a call's other party.
func (y *stayer) isCalled() {
	y.t.Helper()
	_, ip := honest(60_001)
	other, _, err := y.s.join(ip, "other", "presence-none")
	if err == nil {
		y.t.Cleanup(func() { other.ws.Close() })
		if err = other.send(object{"type": "call", "target": "stayer"}); err == nil {
			if _, err = y.w.await("incomingCall"); err == nil {
				if err = y.w.send(object{"type": "callResponse", "accepted": true, "seq": 1}); err == nil {
					_, err = other.await("callAnswered")
				}
			}
		}
	}
	if err != nil {
		y.t.Fatal(err)
	}
	drain(other)
}

func (y *stayer) welcomed(m object) {
	y.t.Helper()
	var err error
	if y.user, y.pass, err = credential(m); err != nil {
		y.t.Fatal(err)
	}
	y.session, _ = m["session"].(string)
	if seq, ok := m["seq"].(float64); ok {
		y.ack = seq
	}
}

// stays resumes the session on a new connection, and works on the allocation of the first day.
func (y *stayer) stays(when string) {
	y.t.Helper()
	y.w.ws.Close()
	w, err := y.s.dial(y.ip)
	if err != nil {
		y.t.Fatalf("%s: %v", when, err)
	}
	y.w = w
	if err := w.send(object{"type": "resume", "session": y.session, "ack": y.ack}); err != nil {
		y.t.Fatalf("%s: %v", when, err)
	}
	m, err := w.await("welcome")
	if err != nil {
		y.t.Fatalf("%s: %v", when, err)
	}
	if m["resumed"] != true || m["id"] != y.id {
		y.t.Fatalf("%s: the session has not come back: %v", when, m)
	}
	y.welcomed(m)
	peer := attribute{stun.AttrXORPeerAddress, []byte{0, 1, 0x30, 0x39, 0x21 ^ 127, 0x12, 0xa4, 0x42 ^ 1}} // 127.0.0.1, which is announced
	for _, ask := range []struct {
		method stun.Method
		attrs  []stun.Setter
	}{{stun.MethodRefresh, nil}, {stun.MethodCreatePermission, []stun.Setter{peer}}} {
		if code, err := y.turn.ask(ask.method, ask.attrs...); err != nil || code != 0 {
			y.t.Errorf("%s: the allocation of the first day refuses %s with %d, %v", when, ask.method, code, err)
		}
	}
	c, err := y.s.rawClient(y.ip, y.user, y.pass)
	if err != nil {
		y.t.Fatal(err)
	}
	defer release([]*client{c})
	if code, err := c.ask(stun.MethodAllocate, udpRelay); err != nil || code != 0 {
		y.t.Errorf("%s: the credential of the day is refused with %d, %v", when, code, err)
	}
}

// isNotNew: the first day's credential begins nothing any more.
func (y *stayer) isNotNew() {
	y.t.Helper()
	c, err := y.s.rawClient(y.ip, y.firstUserPass[0], y.firstUserPass[1])
	if err != nil {
		y.t.Fatal(err)
	}
	defer c.conn.Close()
	if code, err := c.ask(stun.MethodAllocate, udpRelay); err != nil || code != stun.CodeUnauthorized {
		y.t.Errorf("a credential that was for some hours is answered with %d, %v, after a year", code, err)
	}
}

// validTLS shakes hands as a client does whose clock is right.
func (s *server) validTLS(t *testing.T, when string, now time.Time) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.https, patience)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	defer conn.Close()
	c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(state tls.ConnectionState) error {
		leaf := state.PeerCertificates[0]
		roots := x509.NewCertPool()
		roots.AddCert(leaf)
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now})
		return err
	}})
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Errorf("%s: %v", when, err)
	}
}
