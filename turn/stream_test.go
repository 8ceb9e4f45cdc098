package turn

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"duet/internal/spin"
)

// Lengths that overflow 16 bits made the library's stream parser spin for ever on a frame of no size.
func TestOverflowingFrameEndsTheStream(t *testing.T) {
	for _, head := range []string{"0003ffec2112a442000102030405060708090a0b", "4000fffc0000000000", "4000ffff", "8000000000000000", "ffffffff"} {
		s := start(t)
		c := dial(t, s, "tcp")
		c.send(unhex(t, head))
		c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := c.conn.Read(make([]byte, 100)); n != 0 || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
			t.Errorf("%s: read %d, %v; want the connection to end", head, n, err)
		}
		eventually(t, "the stream is forgotten", func() bool { return s.streams.count() == 0 })
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// Frames under nine bytes waited in the library's parser until more came.
func TestShortFrameIsNotHeldBack(t *testing.T) {
	s := start(t)
	c := dial(t, s, "tcp")
	c.allocate()
	outside, addr := peer(t)
	c.bind(0x4000, addr)
	c.send(unhex(t, "4000000401020304"))
	expectAt(t, outside, "\x01\x02\x03\x04")
	c.send(unhex(t, "40000001ff000000"))
	expectAt(t, outside, "\xff")
	c.send(unhex(t, "40000000"))
	expectAt(t, outside, "")
}

// A stream may be cut anywhere.
func TestStreamSplitAtEveryByte(t *testing.T) {
	s := start(t)
	c := dial(t, s, "tcp")
	c.allocate()
	outside, addr := peer(t)
	c.bind(0x4000, addr)
	c.conn.(*net.TCPConn).SetNoDelay(true)
	frames := append(channelData(0x4000, "abcde"), channelData(0x4000, "xyz")...)
	for at := 1; at < len(frames); at++ {
		c.send(frames[:at])
		c.send(frames[at:])
		expectAt(t, outside, "abcde")
		expectAt(t, outside, "xyz")
	}
}

// One failing Accept ended the library's listener and all its allocations.
func TestAcceptErrorsPass(t *testing.T) {
	fails := &failingListener{}
	fails.left.Store(3)
	s := startWith(t, Deps{WrapListener: func(l net.Listener) net.Listener { fails.Listener = l; return fails }})
	c := dial(t, s, "tcp")
	c.allocate()
	if left := fails.left.Load(); left > 0 {
		t.Errorf("%d errors left: the listener did not fail", left)
	}
}

type failingListener struct {
	net.Listener
	left atomic.Int32
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.left.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

// Streams had no deadline: a few thousand silent ones took all descriptors.
func TestSilentStreamsEnd(t *testing.T) {
	const slow = 200
	s := start(t, func(_ *Config, l *limits) {
		l.firstFrame, l.idleStream, l.streamsPerIP = 2*time.Second, 2*time.Second, slow+1
	})
	running := dial(t, s, "tcp")
	running.allocate()
	outside, addr := peer(t)
	running.bind(0x4000, addr)
	for i := range slow {
		c := dial(t, s, "tcp")
		if i%2 == 0 {
			c.send([]byte{0, 1, 0}) // the beginning of a frame
		}
		if i == 0 {
			c.roundTrip(c.build(methodBinding, classRequest)) // seen is not allocated
		}
		running.send(channelData(0x4000, "among them"))
		expectAt(t, outside, "among them")
	}
	eventually(t, "the silent streams end", func() bool { return s.streams.count() == 1 })
	running.send(channelData(0x4000, "still here"))
	expectAt(t, outside, "still here")
}

// Streams are capped for each address.
func TestStreamsAreCapped(t *testing.T) {
	s := start(t, func(_ *Config, l *limits) { l.streamsPerIP = 3 })
	for range 3 {
		c := dial(t, s, "tcp")
		c.allocate()
	}
	c := dial(t, s, "tcp")
	c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the fourth stream: %v, want an end", err)
	}
}

// Streams that hold places and no allocation kept everybody else out. Now the oldest of them gives way, also one that has said
// something; what has an allocation stays.
func TestOldestIdleStreamGivesWay(t *testing.T) {
	s := start(t, func(_ *Config, l *limits) { l.streams = 3 })
	holder, idle := dial(t, s, "tcp"), dial(t, s, "tcp")
	holder.allocate()
	idle.mustAsk(methodBinding)
	dial(t, s, "tcp") // silent
	eventually(t, "all places are taken", func() bool { return s.streams.count() == 3 })
	dial(t, s, "tcp").allocate()
	idle.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := idle.conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the oldest idle stream: %v, want an end", err)
	}
	dial(t, s, "tcp").allocate() // instead of the silent one
	holder.mustAsk(methodRefresh)
	last := dial(t, s, "tcp") // and now all are needed
	last.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := last.conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("one stream too many: %v, want an end", err)
	}
	holder.mustAsk(methodRefresh, lifetime(0))
	dial(t, s, "tcp").allocate()
}

// Closing the server left streams open, and they could still allocate.
func TestEndClosesStreams(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Listen, cfg.PublicIP = "127.0.0.1:0", "127.0.0.1"
	s, err := New(cfg, Deps{Secret: []byte(testSecret)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	c := dial(t, s, "tcp")
	name, pass := s.credentials.issue("somebody", time.Now().Add(time.Hour))
	c.user, c.pass = name, pass
	c.allocate()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if in := c.receive(5 * time.Second); in != nil {
		t.Errorf("got %x after the end", in)
	}
	if n := s.relays.count(); n != 0 {
		t.Errorf("%d allocations after the end", n)
	}
}

func selfSigned(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestTLS(t *testing.T) {
	cfg, lim := testConfig()
	cfg.TLSListen, lim.firstFrame = "127.0.0.1:0", 3*time.Second
	if _, err := New(cfg, Deps{Secret: []byte(testSecret)}); err == nil || !strings.Contains(err.Error(), "turn.tls_listen") {
		t.Errorf("without a certificate: %v", err)
	}
	s, err := newServer(cfg, Deps{Secret: []byte(testSecret), TLS: &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}}, lim)
	if err != nil {
		t.Fatal(err)
	}
	run(t, s)
	conn, err := tls.Dial("tcp", s.tls.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &client{t: t, conn: conn, user: "alice", pass: "wonder", timeout: 5 * time.Second}
	c.allocate()
	outside, addr := peer(t)
	c.bind(0x4000, addr)
	c.send(channelData(0x4000, "tls"))
	from := expectAt(t, outside, "tls")
	outside.WriteToUDPAddrPort([]byte("back"), from)
	c.expectChannel(0x4000, "back")
	if n := s.relays.countByTransport()[[2]string{"tls", "ipv4"}]; n != 1 {
		t.Errorf("%d allocations over TLS, want 1", n)
	}
	urls, _, _, _ := s.ICEServers(ownUser, "example.org")
	_, port, _ := net.SplitHostPort(s.tls.Addr().String())
	if want := "turns:example.org:" + port + "?transport=tcp"; urls[len(urls)-1] != want {
		t.Errorf("got %q, want %q at the end", urls, want)
	}

	silent, err := net.Dial("tcp", s.tls.Addr().String()) // no handshake
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	silent.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := silent.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("a connection without handshake: %v, want an end", err)
	}
	c.mustAsk(methodRefresh)
}

// cutConn is a connection whose bytes come in pieces.
type cutConn struct {
	net.Conn
	r    bytes.Reader
	size int
}

func (c *cutConn) Read(b []byte) (int, error) { return c.r.Read(b[:min(len(b), c.size)]) }

func (c *cutConn) SetReadDeadline(time.Time) error { return nil }

// FuzzStream: framing does not depend on where the stream is cut, gives whole frames of bounded size, and ends.
func FuzzStream(f *testing.F) {
	c := &client{}
	f.Add(append(c.build(methodBinding, classRequest), channelData(0x4000, "abcde")...), byte(1))
	f.Add(append(channelData(0x4fff, ""), channelData(0x4001, "x")...), byte(3))
	f.Add([]byte("\x00\x03\xff\xec\x21\x12\xa4\x42aaaaaaaaaaaa"), byte(7))
	f.Add([]byte("\x40\x00\xff\xfc\x00\x00\x00\x00\x00"), byte(2))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), byte(200))
	f.Fuzz(func(t *testing.T, input []byte, cut byte) {
		spin.Watch(t)
		whole, cutUp := frames(t, input, len(input)+1), frames(t, input, int(cut)+1)
		if len(whole) != len(cutUp) {
			t.Fatalf("%d frames, in pieces %d", len(whole), len(cutUp))
		}
		taken := 0
		for i, b := range whole {
			if !bytes.Equal(b, cutUp[i]) {
				t.Fatalf("frame %d is %x, in pieces %x", i, b, cutUp[i])
			}
			if len(b) < 4 || len(b) > maxFrame || b[0]&0xC0 == 0xC0 {
				t.Fatalf("frame of %d bytes beginning with %x", len(b), b[0])
			}
			if !bytes.Equal(input[taken:taken+len(b)], b) {
				t.Fatalf("frame %d is not what came", i)
			}
			taken += (len(b) + 3) &^ 3
		}
	})
}

func frames(t *testing.T, input []byte, size int) (out [][]byte) {
	conn := &cutConn{size: size}
	conn.r.Reset(input)
	l := newStream(conn, pipeClient, &limits{}, newStats())
	for b := make([]byte, 1600); ; {
		n, _, err := l.read(b)
		if err != nil {
			if rest, _ := io.ReadAll(l.r); len(out)*4 > len(input)-len(rest) {
				t.Fatal("more frames than bytes for them")
			}
			return out
		}
		out = append(out, bytes.Clone(b[:n]))
	}
}

// A flood to a client that reads nothing delays nobody and is bounded, in the kernel too, and every packet of it arrives or
// is counted.
func TestSlowStreamLosesPackets(t *testing.T) {
	s := start(t)
	a, b, _, _ := pair(t, s, "udp", "tcp")
	b.conn.(*net.TCPConn).SetReadBuffer(8 << 10)
	payload := string(make([]byte, 1200))
	for range 20_000 {
		a.send(channelData(0x4000, payload))
	}
	a.mustAsk(methodRefresh)
	for n := 0; ; n++ {
		if in := b.receive(2 * time.Second); in == nil { // longer than a full window takes to open again
			lost := s.stats.dropped[dropQueueFull].Load() + s.stats.dropped[dropLate].Load() + s.kernelDrops()
			if n == 0 || n*1204 > maxSendQueue+128<<10 || n+int(lost) != 20_000 {
				t.Errorf("%d of 20000 frames arrived and %d are counted as lost", n, lost)
			}
			break
		} else if got, size := channelHeader(in); got != 0x4001 || size != 1200 {
			t.Fatalf("frame %d is broken: %x", n, in[:4])
		}
	}
	b.mustAsk(methodRefresh)
}

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
	for _, frame := range [][]byte{channelData(0x4000, "old"), dataIndication(append(make([]byte, headroom), "old\x00"...), headroom, 3, pipeClient), answer} {
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
