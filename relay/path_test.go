package relay

// Which way media takes inside the relay, the plane or pion, and what is told of it.

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"duet/relay/plane"
)

// paths are the paths of a call's two legs.
func paths(s *Server, call string) string {
	var all []string
	for side := range plane.Side(2) {
		if l := s.room(call).leg(side); l != nil {
			l.mu.Lock()
			all = append(all, l.path)
			l.mu.Unlock()
		}
	}
	return strings.Join(all, " ")
}

// When this fails after an upgrade of pion, its hooks have gone silent (or speak another DTLS): every call would take the
// pion's path, at four times the cost, and nobody would notice but the metric. See plane.Keys.
func TestUDPLegsAreOnThePlane(t *testing.T) {
	s := start(t, nil)
	a, b, _ := pair(t, s, clientOptions{})
	talk(t, a, b)
	if got := paths(s, "c_1"); got != "plane plane" {
		t.Errorf("paths %q", got)
	}
	if st := s.plane.Stats(); st.PacketsOut == 0 {
		t.Errorf("stats %+v", st)
	}
}

// Without keys a leg takes pion's path, and everything else is the same.
func TestSilentHooks(t *testing.T) {
	registry := prometheus.NewRegistry()
	var logged lines
	s := startWith(t, nil, Deps{Log: slog.New(slog.NewTextHandler(&logged, nil)), Metrics: registry})
	s.forcePion = true
	a, b, e := pair(t, s, clientOptions{})
	talk(t, a, b)
	until(t, "ready", func() bool { return e.has("ready") })
	if got := paths(s, "c_1"); got != "pion pion" {
		t.Errorf("paths %q", got)
	}
	want := "# HELP duet_relay_legs Connected legs, by the path that carries them.\n# TYPE duet_relay_legs gauge\nduet_relay_legs{path=\"pion\"} 2\n"
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "duet_relay_legs"); err != nil {
		t.Error(err)
	}
	if !strings.Contains(logged.text(), "path=pion") || !strings.Contains(logged.text(), "no usable keys") {
		t.Errorf("the log does not say why:\n%s", logged.text())
	}
	s.Mute("c_1", "alice", "video", false)
	plis := count[*rtcp.PictureLossIndication](a)
	s.Mute("c_1", "alice", "video", true)
	until(t, "a request for a key frame", func() bool { return count[*rtcp.PictureLossIndication](a) > plis })
	n := len(b.received("video"))
	until(t, "video again", func() bool { a.send("video", keyPayload); return len(b.received("video")) > n })
}

// lines is a writer that tests may read.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// The operator sees what a call was like: in the log, and as metrics.
func TestSummary(t *testing.T) {
	registry := prometheus.NewRegistry()
	var logged lines
	s := startWith(t, nil, Deps{Log: slog.New(slog.NewTextHandler(&logged, nil)), Metrics: registry})
	a, b, e := pair(t, s, clientOptions{})
	talk(t, a, b)
	until(t, "ready", func() bool { return e.has("ready") })
	s.Close("c_1")
	until(t, "the summary", func() bool { return strings.Contains(logged.text(), "relay call ended") })
	for _, want := range []string{`msg="relay call ended"`, "call=c_1", "ready=true", "duration=", "packets=", "loss_pct_a=0", "rtt=", "key_requests="} {
		if !strings.Contains(logged.text(), want) {
			t.Errorf("no %s in the log:\n%s", want, logged.text())
		}
	}
	found, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range found {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += " " + l.GetValue()
			}
			values[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for name, atLeast := range map[string]float64{
		"duet_relay_packets_total in": 10, "duet_relay_packets_total out": 10, "duet_relay_bytes_total in": 100, "duet_relay_legs_total plane": 2,
		"duet_relay_call_loss_ratio": 2, "duet_relay_key_frame_requests_total": 1,
	} {
		if values[name] < atLeast {
			t.Errorf("%s is %v, want at least %v", name, values[name], atLeast)
		}
	}
	for _, name := range []string{"duet_relay_calls", "duet_relay_legs plane", "duet_relay_failures_total", "duet_relay_dropped_total bypass"} {
		if v, ok := values[name]; !ok || v != 0 {
			t.Errorf("%s is %v, %v; want 0", name, v, ok)
		}
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// One end reaches the relay over TCP only.
func TestMixedPaths(t *testing.T) {
	s := start(t, nil)
	e := &events{}
	if err := s.Open("c_1", e.notify); err != nil {
		t.Fatal(err)
	}
	a := join(t, s, "c_1", "alice", clientOptions{})
	b := join(t, s, "c_1", "bob", clientOptions{networks: []webrtc.NetworkType{webrtc.NetworkTypeTCP4}})
	connect(t, a, b)
	talk(t, a, b)
	until(t, "ready", func() bool { return e.has("ready") })
	if got := paths(s, "c_1"); got != "plane pion" && got != "pion plane" {
		t.Errorf("paths %q", got)
	}
	for _, c := range []*client{a, b} {
		plis := count[*rtcp.PictureLossIndication](c)
		s.Mute("c_1", c.name, "video", false)
		s.Mute("c_1", c.name, "video", true)
		until(t, "a request for a key frame", func() bool { return count[*rtcp.PictureLossIndication](c) > plis })
	}
}

// A leg of the plane answers no check over TCP, and is told of no TCP when it restarts: a client that reaches the relay by UDP
// through TURN, and by TCP without, would move to where the plane cannot follow.
func TestPlaneLegStaysOnUDP(t *testing.T) {
	s := start(t, nil)
	a, b, _ := pair(t, s, clientOptions{})
	talk(t, a, b)
	if got := paths(s, "c_1"); got != "plane plane" {
		t.Fatalf("paths %q", got)
	}
	first := a.pc.RemoteDescription().SDP
	if !strings.Contains(first, "tcptype passive") {
		t.Error("the first answer tells of no TCP")
	}
	_, rest, _ := strings.Cut(first, "a=ice-pwd:")
	password, _, _ := strings.Cut(rest, "\r\n")
	check := bindingRequest(ufrag(first)+":"+ufrag(a.pc.LocalDescription().SDP), password)
	conn, err := net.Dial("tcp", s.tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(check))), check...)); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	if n, err := conn.Read(make([]byte, 1500)); err == nil {
		t.Errorf("a check over TCP was answered with %d bytes", n)
	}

	if err := a.negotiate(&webrtc.OfferOptions{ICERestart: true}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(a.pc.RemoteDescription().SDP, "tcptype passive") {
		t.Error("the answer to a restart tells of TCP")
	}
}

// bindingRequest is an ICE check (RFC 8489, 14.3 and 14.5).
func bindingRequest(username, password string) []byte {
	const cookie = 0x2112a442
	b := binary.BigEndian.AppendUint32([]byte{0, 1, 0, 0}, cookie)
	b = append(b, "transaction "...)
	b = binary.BigEndian.AppendUint16([]byte(string(b)+"\x00\x06"), uint16(len(username)))
	b = append(b, username...)
	b = append(b, make([]byte, -len(username)&3)...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-20+24))
	mac := hmac.New(sha1.New, []byte(password))
	mac.Write(b)
	return mac.Sum(append(b, 0, 8, 0, sha1.Size))
}

func TestIPv6(t *testing.T) {
	s := start(t, func(c *Config) { c.Listen = "[::1]:0" })
	a, b, _ := pair(t, s, clientOptions{networks: []webrtc.NetworkType{webrtc.NetworkTypeUDP6}})
	talk(t, a, b)
	if got := paths(s, "c_1"); got != "plane plane" {
		t.Errorf("paths %q", got)
	}
}

// A socket for both families carries a call between them.
func TestBothFamilies(t *testing.T) {
	s := start(t, func(c *Config) { c.Listen, c.PublicIP = ":0", "127.0.0.1, ::1" })
	if err := s.Open("c_1", nil); err != nil {
		t.Fatal(err)
	}
	a := join(t, s, "c_1", "alice", clientOptions{})
	b := join(t, s, "c_1", "bob", clientOptions{networks: []webrtc.NetworkType{webrtc.NetworkTypeUDP6}})
	connect(t, a, b)
	talk(t, a, b)
}

// What a client sees of the keys' way: nothing is logged, at any level.
func TestKeysAreNotLogged(t *testing.T) {
	var logged lines
	s := startWith(t, nil, Deps{Log: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug - 8}))})
	a, b, _ := pair(t, s, clientOptions{})
	talk(t, a, b)
	for _, secret := range []string{"CLIENT_RANDOM", "ice-pwd", "a=fingerprint", "candidate:"} {
		if strings.Contains(logged.text(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
}

func TestRunReturnsWhenTheSocketBreaks(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	s, err := New(cfg, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- s.Run(context.Background()) }()
	_ = s.plane.Close()
	if err := <-done; err != nil {
		t.Errorf("%v", err)
	}
}
