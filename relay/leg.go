package relay

// One party's connection to the relay.

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"duet/relay/plane"
)

const (
	// RFC 7675: consent expires 30 s after the last check. Before that a leg counts as disturbed.
	disturbedAfter = 5 * time.Second
	failedAfter    = 25 * time.Second
	// replayWindow is how many packets back a late one may come (RFC 3711, 3.3.2; the minimum is 64).
	replayWindow = 512
)

// certificate makes the server's DTLS identity for this run. All legs share it; making one for each would cost more
// than the handshake.
func certificate() ([]webrtc.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make DTLS key: %w", err)
	}
	cert, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("make DTLS certificate: %w", err)
	}
	return []webrtc.Certificate{*cert}, nil
}

type leg struct {
	r        *room
	side     plane.Side
	id       uint64
	identity string // of the client's association, see offer

	connected atomic.Bool
	heard     atomic.Bool
	at        atomic.Int64 // when it connected
	mu        sync.Mutex   // guards the closing of dead against spawn
	dead      chan struct{}

	negotiating sync.Mutex
	pc          atomic.Pointer[webrtc.PeerConnection]
	tracks      [plane.Kinds]atomic.Pointer[track]
	recent      recent // RTCP packets seen lately
}

func newLeg(r *room, side plane.Side, identity string) *leg {
	return &leg{r: r, side: side, id: r.s.legs.Add(1), identity: identity, dead: make(chan struct{})}
}

func (l *leg) since() time.Duration { return time.Duration(l.at.Load()) }

// answer negotiates an offer.
func (l *leg) answer(ctx context.Context, o *offer) (string, error) {
	l.negotiating.Lock()
	defer l.negotiating.Unlock()
	sections, err := l.r.agree(l.side, o)
	if err != nil {
		return "", err
	}
	pc := l.pc.Load()
	if pc == nil {
		if pc, err = l.connection(sections); err != nil {
			return "", err
		}
		l.pc.Store(pc)
	}
	if l.isDead() { // closed meanwhile, perhaps before there was anything to close
		_ = pc.GracefulClose()
		return "", ErrNoRoom
	}
	for _, s := range sections {
		if l.tracks[s.kind].Load() != nil || !s.asks || len(s.codecs) == 0 {
			continue
		}
		t := newTrack(s.kind)
		tc, err := pc.AddTransceiverFromTrack(t, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendrecv})
		if err != nil {
			return "", fmt.Errorf("add %s: %w", s.kind, err)
		}
		l.tracks[s.kind].Store(t)
		l.spawn(func() { l.readRTCP(tc.Sender().Read) })
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: o.sdp}); err != nil {
		return "", fmt.Errorf("take offer: %w", err)
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("make answer: %w", err)
	}
	if err := pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("set answer: %w", err)
	}
	select {
	case <-gathered: // by now every check finds its leg
	case <-l.dead:
		return "", ErrNoRoom
	case <-ctx.Done():
		return "", ctx.Err()
	}
	l.r.tr.SetLeg(l.side, l.describe(pc, sections))
	l.r.askKeyFrames(plane.Side(0))
	l.r.askKeyFrames(plane.Side(1))
	return withCandidates(pc.LocalDescription().SDP, l.r.s.ips, l.r.s.port)
}

// describe is what was negotiated, in the plane's words.
func (l *leg) describe(pc *webrtc.PeerConnection, sections []section) *plane.Leg {
	out := &plane.Leg{ID: l.id}
	for _, s := range sections {
		st := s.stream()
		for _, tc := range pc.GetTransceivers() {
			if tc.Mid() != s.mid || tc.Sender() == nil {
				continue
			}
			for _, e := range tc.Sender().GetParameters().Encodings {
				st.Out, st.OutRTX = uint32(e.SSRC), uint32(e.RTX.SSRC)
			}
		}
		if !s.sends {
			st.Source, st.SourceRTX = 0, 0
		}
		out.Streams[s.kind] = st
	}
	return out
}

// connection makes the peer connection: ICE-lite on the server's ports, DTLS server, and nothing of pion's that would
// send on its own account.
func (l *leg) connection(sections []section) (*webrtc.PeerConnection, error) {
	s := l.r.s
	media, err := engine(sections)
	if err != nil {
		return nil, err
	}
	set := webrtc.SettingEngine{LoggerFactory: s.pion}
	set.SetLite(true)
	set.SetNet(s.net)
	set.SetICEUDPMux(s.udpMux)
	set.SetICETCPMux(s.tcpMux)
	set.SetNetworkTypes([]webrtc.NetworkType{
		webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6,
	})
	set.SetIncludeLoopbackCandidate(true)
	set.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	set.DisableActiveTCP(true)
	set.SetICETimeouts(disturbedAfter, failedAfter, 2*time.Second)
	set.SetSRTPReplayProtectionWindow(replayWindow)
	set.SetSRTCPReplayProtectionWindow(replayWindow)
	set.SetFireOnTrackBeforeFirstRTP(true)
	if err := set.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
		return nil, fmt.Errorf("set DTLS role: %w", err)
	}
	registry := &interceptor.Registry{}
	registry.Add(tapFactory{l})
	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(set), webrtc.WithInterceptorRegistry(registry))
	pc, err := api.NewPeerConnection(webrtc.Configuration{
		Certificates:              s.certs,
		BundlePolicy:              webrtc.BundlePolicyMaxBundle,
		RTPHeaderEncryptionPolicy: webrtc.RTPHeaderEncryptionPolicyDisable,
	})
	if err != nil {
		return nil, fmt.Errorf("make peer connection: %w", err)
	}
	pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		// The tap sees the packets; reading is what makes them come.
		l.spawn(func() { l.readRTCP(receiver.Read) })
		l.spawn(func() { l.drain(remote) })
	})
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			l.up()
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			l.r.lost(l)
		}
	})
	return pc, nil
}

// up is called when the connection is verified: ICE has a pair and DTLS the certificate that was signalled.
func (l *leg) up() {
	if l.connected.Load() {
		return // back from a disturbance
	}
	l.at.Store(int64(l.r.s.now()))
	l.connected.Store(true)
	l.r.s.metrics.legs.WithLabelValues("ordinary").Inc()
	l.r.log.Debug("relay leg connected", "side", l.side)
	l.r.askKeyFrames(plane.Side(0))
	l.r.askKeyFrames(plane.Side(1))
	l.r.progress()
}

// spawn starts a goroutine that ends with the peer connection; a closed leg starts none.
func (l *leg) spawn(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.isDead() {
		l.r.s.wg.Go(f)
	}
}

func (l *leg) isDead() bool {
	select {
	case <-l.dead:
		return true
	default:
		return false
	}
}

// close ends the leg; at once for the caller, in the background for pion.
func (l *leg) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isDead() {
		return
	}
	close(l.dead)
	l.r.s.wg.Go(func() {
		if pc := l.pc.Load(); pc != nil {
			_ = pc.GracefulClose() // errors are of streams that are closed already
		}
		if l.connected.Load() {
			l.r.s.metrics.legs.WithLabelValues("ordinary").Dec()
		}
	})
}
