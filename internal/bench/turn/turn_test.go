package turn

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"duet/internal/bench"
	"duet/internal/bench/benchtest"
	"duet/internal/spin"
	server "duet/turn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "a secret for tests"

// start runs Duet's own server on loopback.
func start(t *testing.T) string {
	t.Helper()
	cfg := server.DefaultConfig()
	cfg.Listen, cfg.PublicIP, cfg.Secret = "127.0.0.1:0", "127.0.0.1", secret
	cfg.AllowPeers = []string{"127.0.0.0/8"}
	s, err := server.New(cfg, server.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	udp, _ := s.Addrs()
	return "turn:" + udp.String()
}

func TestRunMeasuresEveryMode(t *testing.T) {
	url := start(t)
	for _, kind := range []string{"relay channels", "relay indications", "relay mixed", "peer channels", "peer indications", "peer mixed", "idle channels"} {
		t.Run(kind, func(t *testing.T) {
			mode, carry, _ := strings.Cut(kind, " ")
			o := DefaultOptions()
			o.URL, o.Secret, o.Mode, o.Carry, o.Calls, o.PID = url, secret, mode, carry, 3, os.Getpid()
			o.Warmup, o.Duration = 100*time.Millisecond, 400*time.Millisecond
			var out bytes.Buffer
			if err := Run(t.Context(), o, &out); err != nil {
				t.Fatalf("%v\n%s", err, &out)
			}
			got := benchtest.Results(t, out.String())
			if mode == "idle" {
				if got["allocations"] != 3 {
					t.Errorf("got %v\n%s", got, &out)
				}
				return
			}
			// Three calls of 350 packets a second for 0.4 s; a busy machine may skip some, and lose some, but never most.
			if got["sent"] < 50 || got["sent"] > 450 || got["delivered"] < 0.5*got["sent"] || got["p50"] <= 0 || got["cpu"] <= 0 {
				t.Errorf("got %v\n%s", got, &out)
			}
			if strings.Contains(out.String(), "another client") || strings.Contains(out.String(), "other way round") {
				t.Error(&out)
			}
		})
	}
}

func TestSearchFindsACapacity(t *testing.T) {
	o := DefaultOptions()
	o.URL, o.Secret, o.Calls = start(t), secret, 1
	o.Warmup, o.Duration, o.MaxLoss = 0, 100*time.Millisecond, 0.9
	server, err := parseURL(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := search(t.Context(), o, 4, server, bench.Self(), &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if got := benchtest.Results(t, out.String()); got["search"] != 4 {
		t.Errorf("got %v, want 4 calls\n%s", got, &out)
	}
}

func TestClimb(t *testing.T) {
	for start := 1; start < 300; start += 7 {
		for capacity := range 400 {
			probes := 0
			got, _ := climb(start, 350, func(n int) (bool, error) { probes++; return n <= capacity, nil })
			want := min(capacity, 350)
			if got > want || float64(got+1)*step < float64(want) || want > 0 && got == 0 || probes > 25 {
				t.Fatalf("from %d: %d carried after %d probes, want %d", start, got, probes, want)
			}
		}
	}
}

func TestRunSaysWhatIsWrong(t *testing.T) {
	url := start(t)
	tests := []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"scheme", func(o *Options) { o.URL = "http://127.0.0.1" }, "scheme"},
		{"transport", func(o *Options) { o.URL += "?transport=tcp" }, "transport"},
		{"mode", func(o *Options) { o.Mode = "both" }, "mode"},
		{"carry", func(o *Options) { o.Carry = "both" }, "indications"},
		{"calls", func(o *Options) { o.Calls = 0 }, "calls"},
		{"duration", func(o *Options) { o.Duration = time.Hour }, "1h"},
		{"no credentials", func(o *Options) { o.Secret = "" }, "secret"},
		{"wrong secret", func(o *Options) { o.Secret = "not this one" }, "401"},
		{"no such process", func(o *Options) { o.PID = 1 << 30 }, "process"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := DefaultOptions()
			o.URL, o.Secret, o.Calls, o.Warmup, o.Duration = url, secret, 1, 0, 100*time.Millisecond
			tt.change(&o)
			err := Run(t.Context(), o, &bytes.Buffer{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want something about %q", err, tt.want)
			}
		})
	}
}

func TestMessages(t *testing.T) {
	id := transaction{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	for _, a := range []string{"192.0.2.7:4711", "[2001:db8::7]:4711"} {
		addr := netip.MustParseAddrPort(a)
		b := appendAddr(request(allocateRequest|successBit, id), attrRelayed, addr, id)
		r, err := parseResponse(finish(b))
		if err != nil || r.relayed != addr || r.id != id {
			t.Errorf("%s came back as %v, %v", a, r.relayed, err)
		}
	}
	key := credential{"user", "pass"}.key("realm")
	b := sign(request(allocateRequest, id), "user", "realm", "nonce", key)
	r, err := parseResponse(b)
	if err != nil || r.realm != "realm" || r.nonce != "nonce" {
		t.Errorf("got %+v, %v", r, err)
	}
	mac := hmac.New(sha1.New, key)
	mac.Write(b[:len(b)-24])
	if !hmac.Equal(mac.Sum(nil), b[len(b)-20:]) {
		t.Error("the integrity does not cover the message")
	}
}

func FuzzParseResponse(f *testing.F) {
	id := transaction{1}
	f.Add(finish(appendAddr(request(allocateRequest|successBit, id), attrRelayed, netip.MustParseAddrPort("192.0.2.7:4711"), id)))
	f.Add(finish(appendAttr(request(allocateRequest|errorBits, id), attrErrorCode, []byte{0, 0, 4, 1})))
	f.Fuzz(func(t *testing.T, b []byte) {
		spin.Watch(t)
		if r, err := parseResponse(b); err == nil && (r.code < 0 || r.code > 7*100+255 || len(b) < headerSize) {
			t.Errorf("code %d", r.code)
		}
	})
}
