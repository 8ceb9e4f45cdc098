package relay

// Real pion clients: how the tests make them and what they record.

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"duet/internal/pionlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait; nothing waits this long when it works.
const patience = 20 * time.Second

// start runs a relay on loopback until the test ends.
func start(t *testing.T, change func(*Config)) *Server {
	t.Helper()
	return startWith(t, change, Deps{Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
}

func startWith(t *testing.T, change func(*Config), deps Deps) *Server {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

// Open is Reserve for tests whose users are known by their first offers, and which hear of no answers.
func (s *Server) Open(call string, notify func(event, detail string)) error {
	return s.Reserve(call, [2]string{}, [2]netip.Addr{}, func(event, _, detail string) {
		if notify != nil && (event == Ready || event == Failed) {
			notify(event, detail)
		}
	})
}

// Answer is Offer for tests that wait. No answer and no error means that a newer offer of the same user took this one's place.
func (s *Server) Answer(ctx context.Context, call, user, offerSDP string) (answerSDP string, err error) {
	r := s.room(call)
	if r == nil {
		return "", ErrNoRoom
	}
	type outcome struct{ event, detail string }
	done := make(chan outcome, 1)
	if err := r.offer(user, offerSDP, func(event, detail string) { done <- outcome{event, detail} }); err != nil {
		return "", err
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	over := false
	for {
		select {
		case o := <-done:
			if o.event == Refused || o.event == Unfit {
				return "", errors.New(o.detail)
			}
			return o.detail, nil
		case <-ctx.Done():
			return "", ctx.Err()
		case <-tick.C:
		}
		if over { // and the reply, which comes before the end, has not come
			return "", ErrNoRoom
		}
		r.mu.Lock()
		over = r.over && !r.working
		r.mu.Unlock()
	}
}

// until polls for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// events records what the relay tells about a room.
type events struct {
	mu   sync.Mutex
	seen []string
}

func (e *events) notify(event, detail string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = append(e.seen, strings.TrimSpace(event+" "+detail))
}

// tell is a Notify.
func (e *events) tell(event, user, detail string) {
	e.notify(event, strings.TrimSpace(user+" "+detail))
}

func (e *events) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.seen)
}

func (e *events) has(prefix string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.seen, func(s string) bool { return strings.HasPrefix(s, prefix) })
}

// client is one end of a call.
type client struct {
	t    *testing.T
	name string
	s    *Server
	call string
	pc   *webrtc.PeerConnection

	mu      sync.Mutex
	out     map[string]*webrtc.TrackLocalStaticRTP
	seq     map[string]uint16
	in      map[string][]rtp.Header // received, by kind: headers in order
	body    map[string][]string     // and the last bytes of their payloads
	control []rtcp.Packet           // received from the relay
}

// clientOptions change how a client is made.
type clientOptions struct {
	networks []webrtc.NetworkType
	codecs   func(*webrtc.MediaEngine) error
	kinds    []string
}

func join(t *testing.T, s *Server, call, name string, opts clientOptions) *client {
	t.Helper()
	c := &client{
		t: t, name: name, s: s, call: call,
		out: map[string]*webrtc.TrackLocalStaticRTP{}, seq: map[string]uint16{},
		in: map[string][]rtp.Header{}, body: map[string][]string{},
	}
	m := &webrtc.MediaEngine{}
	register := opts.codecs
	if register == nil {
		register = (*webrtc.MediaEngine).RegisterDefaultCodecs
	}
	if err := register(m); err != nil {
		t.Fatal(err)
	}
	for _, uri := range []string{midURI, audioLevelURI} {
		if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeAudio); err != nil {
			t.Fatal(err)
		}
	}
	set := webrtc.SettingEngine{}
	set.SetIncludeLoopbackCandidate(true)
	if opts.networks == nil {
		opts.networks = []webrtc.NetworkType{webrtc.NetworkTypeUDP4}
	}
	set.SetNetworkTypes(opts.networks)
	if opts.networks[0] == webrtc.NetworkTypeUDP6 {
		// pion does not gather ::1, and a test host may have no other IPv6 address.
		conn, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
		if err != nil {
			t.Fatalf("this host has no IPv6 loopback: %v", err)
		}
		any, err := newAnyNet([]netip.Addr{netip.IPv6Loopback()})
		if err != nil {
			t.Fatal(err)
		}
		mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: loopback6{conn}, Net: any, Logger: pionlog.New(nil).NewLogger("")})
		t.Cleanup(func() { _ = mux.Close() })
		set.SetNet(any)
		set.SetICEUDPMux(mux)
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(set), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	var err error
	if c.pc, err = api.NewPeerConnection(webrtc.Configuration{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.leave)
	if opts.kinds == nil {
		opts.kinds = []string{"audio", "video"}
	}
	for _, kind := range opts.kinds {
		mime := webrtc.MimeTypeVP8
		if kind == "audio" {
			mime = webrtc.MimeTypeOpus
		}
		capability := webrtc.RTPCodecCapability{MimeType: mime}
		track, err := webrtc.NewTrackLocalStaticRTP(capability, kind, name)
		if err != nil {
			t.Fatal(err)
		}
		sender, err := c.pc.AddTrack(track)
		if err != nil {
			t.Fatal(err)
		}
		c.out[kind], c.seq[kind] = track, 65000
		go c.readRTCP(sender.ReadRTCP)
	}
	c.pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		go c.readRTCP(receiver.ReadRTCP)
		for {
			p, _, err := remote.ReadRTP()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.in[remote.ID()] = append(c.in[remote.ID()], p.Header)
			c.body[remote.ID()] = append(c.body[remote.ID()], string(p.Payload))
			c.mu.Unlock()
		}
	})
	return c
}

// loopback6 is a socket on ::1 that says it is bound to all addresses.
type loopback6 struct{ *net.UDPConn }

func (c loopback6) LocalAddr() net.Addr {
	return &net.UDPAddr{IP: net.IPv6unspecified, Port: c.UDPConn.LocalAddr().(*net.UDPAddr).Port}
}

const (
	midURI        = "urn:ietf:params:rtp-hdrext:sdes:mid"
	audioLevelURI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
)

func (c *client) leave() { _ = c.pc.GracefulClose() }

func (c *client) readRTCP(read func() ([]rtcp.Packet, interceptor.Attributes, error)) {
	for {
		pkts, _, err := read()
		if err != nil {
			return
		}
		c.mu.Lock()
		c.control = append(c.control, pkts...)
		c.mu.Unlock()
	}
}

// negotiate offers and takes the answer.
func (c *client) negotiate(opts *webrtc.OfferOptions) error {
	offer, err := c.pc.CreateOffer(opts)
	if err != nil {
		return err
	}
	if err := c.pc.SetLocalDescription(offer); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := c.s.Answer(ctx, c.call, c.name, offer.SDP)
	if err != nil {
		return err
	}
	return c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
}

// connect negotiates all clients at the same time, as the two ends of a call do, and waits until they are connected.
func connect(t *testing.T, clients ...*client) {
	t.Helper()
	errs := make(chan error)
	for _, c := range clients {
		go func() { errs <- c.negotiate(nil) }()
	}
	for range clients {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range clients {
		until(t, c.name+" to connect", func() bool { return c.pc.ConnectionState() == webrtc.PeerConnectionStateConnected })
	}
}

// The beginnings of VP8 payloads: descriptor with S, then a frame header with P 0 or 1.
var (
	keyPayload   = []byte{0x10, 0x00, 'k'}
	deltaPayload = []byte{0x10, 0x01, 'd'}
)

// send sends one packet of a kind and returns its sequence number.
func (c *client) send(kind string, payload []byte) uint16 {
	c.mu.Lock()
	c.seq[kind]++
	seq := c.seq[kind]
	c.mu.Unlock()
	p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: uint32(seq) * 960}, Payload: payload}
	if err := c.out[kind].WriteRTP(p); err != nil {
		c.t.Logf("%s could not send %s: %v", c.name, kind, err)
	}
	return seq
}

// received is what came in of a kind.
func (c *client) received(kind string) []rtp.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.in[kind])
}

func (c *client) payloads(kind string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.body[kind], "")
}

// count counts the RTCP packets of a type that came in.
func count[T rtcp.Packet](c *client) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, p := range c.control {
		if _, ok := p.(T); ok {
			n++
		}
	}
	return n
}

// talk sends audio and key frames both ways until each end has received both.
func talk(t *testing.T, a, b *client) {
	t.Helper()
	until(t, "media both ways", func() bool {
		for _, c := range []*client{a, b} {
			c.send("audio", []byte("a"))
			c.send("video", keyPayload)
		}
		return len(a.received("audio")) > 3 && len(a.received("video")) > 3 && len(b.received("audio")) > 3 && len(b.received("video")) > 3
	})
}

// pair opens a call between two clients and connects them.
func pair(t *testing.T, s *Server, opts clientOptions) (a, b *client, e *events) {
	t.Helper()
	e = &events{}
	if err := s.Open("c_1", e.notify); err != nil {
		t.Fatal(err)
	}
	a, b = join(t, s, "c_1", "alice", opts), join(t, s, "c_1", "bob", opts)
	connect(t, a, b)
	return a, b, e
}
