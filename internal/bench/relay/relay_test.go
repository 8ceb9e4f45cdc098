package relay

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"duet/internal/bench/benchtest"
	server "duet/relay"
	hub "duet/signaling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs Duet's own signaling and relay on loopback.
func start(t *testing.T) string {
	t.Helper()
	cfg := server.DefaultConfig()
	cfg.Listen, cfg.PublicIP = "127.0.0.1:0", "127.0.0.1"
	relay, err := server.New(cfg, server.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	h, err := hub.New(hub.DefaultConfig(), hub.Deps{Key: bytes.Repeat([]byte{7}, 32), Relay: relay})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: h}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 3)
	go func() { done <- h.Run(ctx) }()
	go func() { done <- relay.Run(ctx) }()
	go func() { web.Serve(l); done <- nil }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		web.Close()
		<-done
	})
	return "ws://" + l.Addr().String() + "/ws"
}

func TestRunMeasuresEveryWay(t *testing.T) {
	url := start(t)
	for _, via := range []string{"duet", "direct", "duet apart", "direct apart"} {
		t.Run(via, func(t *testing.T) {
			via, apart := strings.CutSuffix(via, " apart")
			o := DefaultOptions()
			o.URL, o.Via, o.Apart, o.Calls, o.PID = url, via, apart, 2, os.Getpid()
			o.Warmup, o.Duration = 300*time.Millisecond, 700*time.Millisecond
			var out bytes.Buffer
			if err := Run(t.Context(), o, &out); err != nil {
				t.Fatalf("%v\n%s", err, &out)
			}
			got := benchtest.Results(t, out.String())
			// Two calls of 350 packets a second for 0.7 s; a busy machine may skip some, and lose some, but never most.
			if got["sent"] < 50 || got["sent"] > 520 || got["delivered"] < 0.5*got["sent"] || got["p50"] <= 0 || via == "duet" && got["cpu"] <= 0 {
				t.Errorf("got %v\n%s", got, &out)
			}
			for _, bad := range []string{"another client", "authenticate", "without transport-cc"} {
				if strings.Contains(out.String(), bad) {
					t.Error(&out)
				}
			}
		})
	}
}

func TestRunSaysWhatIsWrong(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "ws://" + l.Addr().String()
	l.Close()
	tests := []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"way", func(o *Options) { o.Via = "pigeon" }, "pigeon"},
		{"calls", func(o *Options) { o.Calls = 0 }, "calls"},
		{"duration", func(o *Options) { o.Duration = 0 }, "100ms"},
		{"no Duet", func(o *Options) {}, "connect to"},
		{"no Janus", func(o *Options) { o.Via = "janus" }, "connect to"},
		{"no such process", func(o *Options) { o.PID = 1 << 30 }, "process"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := DefaultOptions()
			o.URL, o.Calls, o.Warmup, o.Duration = nobody, 1, 0, 100*time.Millisecond
			tt.change(&o)
			err := Run(t.Context(), o, &bytes.Buffer{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want something about %q", err, tt.want)
			}
		})
	}
}

func TestDescriptionsAreReadAsWritten(t *testing.T) {
	p := &peer{addr: netip.MustParseAddr("127.60.0.9"), port: 4711, session: 1, fingerprint: "AB:CD", ufrag: "frag", pwd: "password", media: offered(true)}
	p.media[0].ssrc, p.media[1].ssrc = 11, 12
	d, err := parse(p.text("actpass"))
	if err != nil {
		t.Fatal(err)
	}
	if d.ufrag != "frag" || d.pwd != "password" || d.fingerprint != "AB:CD" || d.setup != "actpass" || d.lite ||
		len(d.candidates) != 1 || d.candidates[0] != netip.MustParseAddrPort("127.60.0.9:4711") || len(d.media) != 2 {
		t.Errorf("got %+v", d)
	}
	for k, want := range offered(true) {
		got := d.media[k]
		if got.kind != want.kind || got.mid != want.mid || got.pt != want.pt || got.exts[uriTWCC] != want.exts[uriTWCC] || len(got.fb) != len(want.fb) || got.ssrc != uint32(11+k) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for name, text := range map[string]string{
		"nothing":        "",
		"a refused one":  strings.Replace(p.text("active"), "m=video 9", "m=video 0", 1),
		"no address":     strings.ReplaceAll(p.text("active"), "a=candidate", "a=nothing"),
		"no fingerprint": strings.ReplaceAll(p.text("active"), "a=fingerprint", "a=nothing"),
	} {
		if _, err := parse(text); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
