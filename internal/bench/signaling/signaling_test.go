package signaling

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"duet/internal/bench/benchtest"
	"duet/internal/spin"
	server "duet/signaling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs Duet's own server on loopback.
func start(t *testing.T) string {
	t.Helper()
	hub, err := server.New(server.DefaultConfig(), server.Deps{Key: bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	mux := http.NewServeMux()
	mux.Handle("/ws", hub)
	mux.Handle("/socket.io/", hub.SocketIO())
	web := &http.Server{Handler: mux}
	go func() { done <- hub.Run(ctx) }()
	go func() { web.Serve(l); done <- nil }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		web.Close()
		<-done
	})
	return "ws://" + l.Addr().String() + "/ws"
}

func TestRunMeasuresEveryPhase(t *testing.T) {
	url := start(t)
	for _, kind := range []string{"delta", "list", "none", "socketio delta", "socketio list", "socketio none"} {
		t.Run(kind, func(t *testing.T) {
			o := DefaultOptions()
			presence, socketio := strings.CutPrefix(kind, "socketio ")
			o.URL, o.Presence, o.PID, o.SocketIO = url, presence, os.Getpid(), socketio
			o.Users, o.Joins, o.Settle = 40, 8, 200*time.Millisecond
			o.CallTime, o.CallRate, o.Hold = 500*time.Millisecond, 20, 50*time.Millisecond
			o.ChurnTime, o.RoamTime, o.RoamRate = 500*time.Millisecond, 500*time.Millisecond, 20
			var out bytes.Buffer
			if err := Run(t.Context(), o, &out); err != nil {
				t.Fatalf("%v\n%s", err, &out)
			}
			got := benchtest.Results(t, out.String())
			if got["users"] != 40 || got["setups"] != 10 || got["p50"] <= 0 || got["setupcpu"] <= 0 || got["eventms"] <= 0 {
				t.Errorf("got %v\n%s", got, &out)
			}
			if _, roamed := got["roamms"]; roamed != (presence != "list" && !socketio) {
				t.Errorf("got %v\n%s", got, &out)
			}
			if _, seen := got["settled"]; seen != (presence != "none") {
				t.Errorf("got %v\n%s", got, &out)
			}
		})
	}
}

// TestRunPolls: users who poll see each other, and are idle.
func TestRunPolls(t *testing.T) {
	o := DefaultOptions()
	o.URL, o.PID, o.Polling, o.Presence = start(t), os.Getpid(), true, "list"
	o.Users, o.Joins, o.Settle = 40, 8, 300*time.Millisecond
	var out bytes.Buffer
	if err := Run(t.Context(), o, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	got := benchtest.Results(t, out.String())
	if _, called := got["setups"]; got["users"] != 40 || got["settled"] <= 0 || called {
		t.Errorf("got %v\n%s", got, &out)
	}
}

func TestRunSaysWhatIsWrong(t *testing.T) {
	url := start(t)
	tests := []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"scheme", func(o *Options) { o.URL = "wss://127.0.0.1/ws" }, "wss"},
		{"no WebSocket", func(o *Options) { o.URL = strings.TrimPrefix(o.URL, "ws://") }, "scheme"},
		{"nobody", func(o *Options) { o.Users = 0 }, "users"},
		{"presence", func(o *Options) { o.Presence = "some" }, "presence"},
		{"files", func(o *Options) { o.Users = 200_000 }, "open files"},
		{"no such process", func(o *Options) { o.PID = 1 << 30 }, "process"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := DefaultOptions()
			o.URL, o.Users, o.Settle, o.CallTime, o.ChurnTime, o.RoamTime = url, 2, 0, 0, 0, 0
			tt.change(&o)
			err := Run(t.Context(), o, &bytes.Buffer{})
			if err == nil || !strings.Contains(err.Error(), tt.want) && !strings.Contains(err.Error(), "first path segment") {
				t.Errorf("got %v, want something about %q", err, tt.want)
			}
		})
	}
}

func TestFrames(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 65535, 65536, 200_000} {
		payload := bytes.Repeat([]byte("x"), n)
		b := appendFrame(nil, opText, payload)
		// As the server would send it: without the bit and the four bytes of the mask.
		b[1] &^= 0x80
		at := len(b) - n - 4
		b = append(b[:at], b[at+4:]...)
		for _, cut := range []int{1, at / 2, at, len(b) - 1} {
			if _, _, _, size, err := readFrame(b[:min(cut, len(b)-1)]); size != 0 || err != nil {
				t.Errorf("%d of %d bytes: size %d, %v", cut, len(b), size, err)
			}
		}
		op, fin, got, size, err := readFrame(append(b, 1, 2, 3))
		if err != nil || op != opText || !fin || size != len(b) || !bytes.Equal(got, payload) {
			t.Errorf("%d bytes: op %d, fin %v, size %d of %d, %v", n, op, fin, size, len(b), err)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{0x81, 5, 'h', 'e', 'l', 'l', 'o', 0x89, 0})
	f.Add([]byte{0x01, 126, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		spin.Watch(t)
		for {
			_, _, payload, size, err := readFrame(b)
			if err != nil || size == 0 {
				return
			}
			if size < 2 || size > len(b) || len(payload) > size {
				t.Fatalf("a frame of %d bytes with %d inside, of %d", size, len(payload), len(b))
			}
			b = b[size:]
		}
	})
}
