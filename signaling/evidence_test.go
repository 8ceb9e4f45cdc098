package signaling

// This file tests why a call is said not to connect, and who is told when.

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"duet/signaling/call"
)

// TestVerdictIsToldLoggedAndCounted goes through all of it, with a hostile diagnosis on the other side.
func TestVerdictIsToldLoggedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log syncBuffer
		registry := prometheus.NewRegistry()
		n := &neighbour{mode: "fallback", refused: []int{401}}
		w := newWorld(t, func(_ *Config, d *Deps) {
			d.TURN, d.Metrics, d.Log = ledger{n}, registry, slog.New(slog.NewTextHandler(&log, nil))
		})
		a, b := w.join("Ann", "verdict"), w.join("Bob", "verdict")
		id := connect(a, b)
		a.send(msg{"type": "offer", "offer": msg{"type": "offer", "sdp": "v=0"}})
		b.expect("offer")
		b.send(msg{"type": "answer", "answer": msg{"type": "answer", "sdp": "v=0"}})
		a.expect("answer")
		start := time.Now()
		a.send(msg{"type": "diagnosis", "candidates": []string{"host", "<script>"}, "protocols": []string{"udp"}, "families": []string{"ip4"},
			"blocked": []msg{{"url": "turn:evil\nlevel=ERROR", "code": 401}}, "relay": ""})
		verdict := msg{"type": "verdict", "callId": id, "code": "credentials-refused", "where": "both"}
		a.equal(a.expect("verdict"), verdict)
		b.equal(b.expect("verdict"), verdict)
		if took := time.Since(start); took != call.DiagnosisWait {
			t.Errorf("the other diagnosis was waited for %v, want %v", took, call.DiagnosisWait)
		}
		var lines []string
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, "call does not connect") {
				lines = append(lines, line)
			}
		}
		if len(lines) != 1 || !strings.Contains(lines[0], "verdict=credentials-refused") || strings.Contains(lines[0], "script") || strings.Contains(lines[0], "evil") {
			t.Errorf("the log has %q", lines)
		}
		want := "# HELP duet_signaling_verdicts_total Calls that did not connect, by why.\n# TYPE duet_signaling_verdicts_total counter\n"
		for _, code := range call.Causes() {
			count := map[bool]string{true: " 1\n", false: " 0\n"}[code == "credentials-refused"]
			want += `duet_signaling_verdicts_total{code="` + code + `"}` + count
		}
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "duet_signaling_verdicts_total"); err != nil {
			t.Error(err)
		}

		// A connection that has fallen silent counts as gone before it is dropped.
		a.send(msg{"type": "endCall"})
		b.expect("callEnded")
		n.refused = nil
		connect(a, b)
		a.send(msg{"type": "offer", "offer": msg{"type": "offer", "sdp": "v=0"}})
		b.expect("offer")
		b.send(msg{"type": "answer", "answer": msg{"type": "answer", "sdp": "v=0"}})
		a.expect("answer")
		b.ws.SetPingHandler(func(string) error { return nil })
		for range 4 {
			time.Sleep(6 * time.Second)
			a.send(`{"type":"ping"}`)
			a.expect("pong")
		}
		a.send(msg{"type": "diagnosis", "candidates": []string{"host"}})
		if m := a.expectAfter("verdict", time.Minute); m.str("code") != "peer-gone" || m.str("where") != "peer" {
			t.Errorf("got %v", m)
		}
		b.nothing(time.Second)
	})
}

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
