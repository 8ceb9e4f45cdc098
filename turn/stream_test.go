package turn

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"testing"
	"time"
)

// leaving is a connection that takes its time to close, as TLS does when its client takes nothing.
type leaving struct {
	net.Conn
	begun, end chan struct{}
}

func (l leaving) Close() error {
	close(l.begun)
	<-l.end
	return l.Conn.Close()
}

// A stream that closes slowly must not hold up a loop that has a frame for it, and with it everybody's calls.
func TestSlowCloseHoldsUpNobody(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	conn := leaving{ours, make(chan struct{}), make(chan struct{})}
	l := newStream(conn, pipeClient, &limits{}, newStats())
	closed := make(chan error)
	go func() { closed <- l.close() }()
	<-conn.begun
	l.write(channelData(0x4000, "late"), route{}) // would wait for ever
	l.allocated(false)
	if err := l.close(); err != nil {
		t.Error(err)
	}
	close(conn.end)
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// Payloads that have waited too long are lost, answers are not.
func TestLatePayloadsAreLost(t *testing.T) {
	l := newStream(nil, pipeClient, &limits{late: time.Second}, newStats())
	now, c := time.Now(), client{}
	answer := c.build(methodRefresh, classSuccess)
	for _, frame := range [][]byte{channelData(0x4000, "old"), appendData(nil, pipeClient, []byte("old")), answer} {
		l.out.put(frame, now.Add(-time.Minute))
	}
	l.out.put(channelData(0x4000, "new"), now)
	want := append(append([]byte{}, answer...), channelData(0x4000, "new\x00")...)
	want[len(answer)+3] = 3 // the padding does not count
	if got := l.take(nil); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	if n := l.stats.dropped[dropLate].Load(); n != 2 {
		t.Errorf("%d counted as late, want 2", n)
	}
	if got := l.take(nil); len(got) != 0 {
		t.Errorf("%x is left", got)
	}
}

// What waits comes out in order, whole and padded, and is bounded, however puts and takes alternate.
func TestSendQueue(t *testing.T) {
	var q sendQueue
	var want [][]byte
	held, refused := 0, 0
	take := func() {
		frame, _ := q.next()
		if len(want) == 0 {
			if frame != nil {
				t.Fatalf("%d bytes out of nothing", len(frame))
			}
			return
		}
		if n := len(want[0]); len(frame) != (n+3)&^3 || !bytes.Equal(frame[:n], want[0]) {
			t.Fatalf("got %d bytes, want %d", len(frame), n)
		}
		held -= len(frame)
		want = want[1:]
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 20_000 {
		for range r.IntN(4) * (1 - i/5000%2) { // fills up, runs empty
			frame := channelData(0x4000, string(make([]byte, r.IntN(1300))))
			binary.BigEndian.PutUint16(frame[:2], 0x4000+uint16(i%0x1000))
			if fits := held+len(frame) <= maxSendQueue; q.put(frame, time.Time{}) != fits {
				t.Fatalf("%d bytes beside %d: fits is %v", len(frame), held, fits)
			} else if !fits {
				refused++
				continue
			}
			want = append(want, frame)
			held += (len(frame) + 3) &^ 3
		}
		take()
	}
	if refused == 0 || len(want) > 0 || cap(q.bytes) > 3*maxSendQueue {
		t.Errorf("%d refused, %d left, room for %d", refused, len(want), cap(q.bytes))
	}
}
