package bench

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestStreamsCarryManyConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	echoed := make(chan struct{})
	go func() {
		defer close(echoed)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	defer func() { l.Close(); <-echoed }()

	s, err := NewStreams()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const n = 50
	want := bytes.Repeat([]byte("all that was written"), 100_000) // more than the kernel takes at once
	got := make([][]byte, n)
	ended, connected := 0, 0
	for i := range n {
		size := len(want)
		if i > 0 {
			size = 100 * i
		}
		st, err := s.Dial(i, netip.AddrFrom4([4]byte{127, 5, 0, byte(i + 1)}), l.Addr().(*net.TCPAddr).AddrPort())
		if err != nil {
			t.Fatal(err)
		}
		st.Write(want[:size])
	}
	complete := 0
	for deadline := time.Now().Add(20 * time.Second); complete < n && time.Now().Before(deadline); {
		_, err := s.Poll(100*time.Millisecond, func(ev StreamEvent) {
			switch i := ev.Stream.ID; {
			case ev.Err != nil:
				ended++
			case ev.Data == nil:
				connected++
			default:
				got[i] = append(got[i], ev.Data...)
				if age := time.Since(time.Unix(0, ev.At)); age < 0 || age > time.Minute {
					t.Errorf("taken in %v ago", age)
				}
				size := len(want)
				if i > 0 {
					size = 100 * i
				}
				if len(got[i]) == size {
					complete++
					ev.Stream.Close()
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if complete != n || connected != n || ended != 0 {
		t.Fatalf("%d connected, %d complete, %d ended; want %d, %d, 0", connected, complete, ended, n, n)
	}
	for i := range got {
		if !bytes.HasPrefix(want, got[i]) {
			t.Errorf("stream %d brought other bytes back", i)
		}
	}
	if s.Received < uint64(len(want)) {
		t.Errorf("%d bytes counted", s.Received)
	}
}

func TestStreamsReportRefusals(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr).AddrPort()
	l.Close()
	s, err := NewStreams()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Dial(7, netip.Addr{}, addr); err != nil {
		return // refused at once
	}
	var refused error
	for deadline := time.Now().Add(10 * time.Second); refused == nil && time.Now().Before(deadline); {
		if _, err := s.Poll(100*time.Millisecond, func(ev StreamEvent) { refused = ev.Err }); err != nil {
			t.Fatal(err)
		}
	}
	if refused == nil {
		t.Error("nothing was reported about a port where nobody listens")
	}
}
