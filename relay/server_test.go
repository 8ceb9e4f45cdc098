package relay

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

func TestRefusals(t *testing.T) {
	s := start(t, func(c *Config) { c.MaxCalls = 1 })
	ctx := context.Background()
	if _, err := s.Answer(ctx, "c_1", "alice", "v=0"); err != ErrNoRoom {
		t.Errorf("answer without a room: %v", err)
	}
	if err := s.Candidate("c_1", "alice", "null"); err != ErrNoRoom {
		t.Errorf("candidate without a room: %v", err)
	}
	if err := s.Open("c_1", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Open("c_2", nil); err != ErrFull {
		t.Errorf("a call too many: %v", err)
	}
	for _, offer := range []string{"", "junk", "v=0\r\n", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"} {
		if _, err := s.Answer(ctx, "c_1", "alice", offer); err == nil {
			t.Errorf("offer %q was answered", offer)
		}
	}
	for text, fine := range map[string]bool{"null": true, `{"candidate":"","sdpMid":"0"}`: true, `{}`: false, `7`: false, `"x"`: false, `{"candidate":7}`: false} {
		if err := s.Candidate("c_1", "alice", text); (err == nil) != fine {
			t.Errorf("candidate %s: %v", text, err)
		}
	}
	s.Mute("c_9", "alice", "video", false)
	s.Mute("c_1", "alice", "smell", false)
	s.Close("c_1")
	s.Close("c_1")
	if err := s.Open("c_2", nil); err != nil {
		t.Errorf("after the first call ended: %v", err)
	}
}

func TestNobodyComes(t *testing.T) {
	s := start(t, nil)
	var e events
	if err := s.Open("c_1", e.notify); err != nil {
		t.Fatal(err)
	}
	s.room("c_1").timers[2].Reset(0)
	until(t, "failure", func() bool { return e.has("failed the parties did not connect") })
	if _, err := s.Answer(context.Background(), "c_1", "alice", "v=0\r\n"); err == nil {
		t.Error("a failed room answers")
	}
}

func TestOff(t *testing.T) {
	s := start(t, func(c *Config) { c.Mode = Off })
	if err := s.Open("c_1", nil); err != ErrOff {
		t.Errorf("error %v, want %v", err, ErrOff)
	}
	if udp, tcp := s.Addrs(); udp != nil || tcp != nil {
		t.Error("a relay that is off has ports")
	}
}

func TestPortTaken(t *testing.T) {
	s := start(t, nil)
	udp, _ := s.Addrs()
	cfg := DefaultConfig()
	cfg.Listen = udp.String()
	if _, err := New(cfg, Deps{}); err == nil || !strings.Contains(err.Error(), udp.String()) {
		t.Errorf("error %v, want one that names %s", err, udp)
	}
}

func TestValidateReportsAll(t *testing.T) {
	err := Config{Mode: "maybe", Listen: "host:99999", PublicIP: "1.2.3", FallbackAfter: 0, MaxCalls: 0}.Validate()
	for _, key := range []string{"mode", "listen", "public_ip", "fallback_after", "max_calls", "call_bytes_per_second"} {
		if err == nil || !strings.Contains(err.Error(), "relay."+key+": ") {
			t.Errorf("no word about %s in %v", key, err)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestCandidateIsJSON(t *testing.T) {
	b, _ := json.Marshal(webrtc.ICECandidateInit{Candidate: "candidate:1 1 udp 1 192.0.2.1 1 typ host"})
	s := start(t, nil)
	if err := s.Open("c", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Candidate("c", "a", string(b)); err != nil {
		t.Error(err)
	}
}
