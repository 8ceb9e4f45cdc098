package relay

// One party's connection to the relay.

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"duet/internal/lock"
	"duet/relay/plane"
)

const (
	// RFC 7675: consent expires 30 s after the last check. Before that a leg counts as disturbed.
	disconnectedTimeout = 5 * time.Second
	failedTimeout       = 25 * time.Second
	// replayWindow is how many packets back a late one may come (RFC 3711, 3.3.2; the minimum is 64).
	replayWindow = 512
)

type leg struct {
	r        *room
	side     plane.Side
	id       uint64
	identity string // of the client's association, see offer

	streams   atomic.Int64 // buffers that pion has asked for
	connected atomic.Bool
	mediaSeen atomic.Bool
	at        atomic.Int64         // when it connected
	mu        lock.Mutex[lock.Leg] // guards path, ufrag, readers, and the closing of dead against spawn
	path      string               // once decided
	ufrag     string               // ours, of the newest answer
	readers   []func()             // until then
	dead      chan struct{}

	port *plane.Port
	keys *plane.Keys

	agreed []section // of the room's goroutine: what the last offer was answered with
	pc     atomic.Pointer[webrtc.PeerConnection]
	tracks [plane.Kinds]atomic.Pointer[track]
	recent recent // RTCP packets seen lately
}

func newLeg(r *room, side plane.Side, identity string) *leg {
	l := &leg{r: r, side: side, id: r.s.legs.Add(1), identity: identity, dead: make(chan struct{}), keys: &plane.Keys{}}
	l.port = r.s.plane.NewPort(r.tr, side, l.mediaArrived)
	return l
}

func (l *leg) since() time.Duration { return time.Duration(l.at.Load()) }

// answer negotiates an offer. After one that fails, what the last one was answered with is still in force.
func (l *leg) answer(o *offer) (answer string, err error) {
	if !continues(l.agreed, o.sections) {
		return "", reason("an offer keeps the sections of the one before (RFC 3264, section 8)")
	}
	pc := l.pc.Load()
	sections, err := l.r.commit(l.side, o)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			l.r.rollBack(l)
		} else {
			l.agreed = sections
		}
	}()
	if pc == nil {
		if pc, err = l.connection(sections); err != nil {
			return "", err
		}
		l.pc.Store(pc)
	}
	if l.isDead() { // closed meanwhile, perhaps before there was anything to close
		_ = pc.GracefulClose()
		return "", errLegLost
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
		l.whenPion(func() { l.readRTCP(tc.Sender().Read) })
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: o.sdp}); err != nil {
		return "", fmt.Errorf("take offer: %w", err)
	}
	description, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("make answer: %w", err)
	}
	if err := pc.SetLocalDescription(description); err != nil {
		return "", fmt.Errorf("set answer: %w", err)
	}
	select {
	case <-gathered: // by now every check finds its leg
	case <-l.dead:
		return "", errLegLost
	case <-time.After(answerTime):
		return "", reason("the relay is too busy to answer")
	}
	text := pc.LocalDescription().SDP
	l.port.Expect(ufrag(text))
	onPlane := l.answered(ufrag(text))
	if !l.r.install(l, l.legDescription(pc, sections)) {
		return "", errLegLost
	}
	l.r.askKeyFrames(plane.Side(0))
	l.r.askKeyFrames(plane.Side(1))
	streams := l.r.s.streams
	if onPlane {
		streams = nil
	}
	return withCandidates(text, o.refused, l.r.s.Announced(), l.r.s.port, streams)
}

const errLegLost = reason("the connection to the relay was lost meanwhile")

// answered notes the name of the newest answer, and says whether the leg is on the plane by now.
func (l *leg) answered(ufrag string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ufrag = ufrag
	if l.path == pathPlane {
		l.dropTCPLocked()
	}
	return l.path == pathPlane
}

// dropTCPLocked answers no checks over TCP any more. A browser that reaches the relay by UDP through TURN, and by TCP without,
// would move to TCP, where the plane cannot follow.
func (l *leg) dropTCPLocked() {
	mux, ufrag := l.r.s.tcpMux, l.ufrag
	l.r.s.wg.Go(func() { mux.RemoveConnByUfrag(ufrag) })
}

// legDescription is what was negotiated, in the plane's words.
func (l *leg) legDescription(pc *webrtc.PeerConnection, sections []section) *plane.Leg {
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
		if st.RecvOnly = !s.sends; st.RecvOnly {
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
	set.SetICETimeouts(disconnectedTimeout, failedTimeout, 2*time.Second)
	set.SetSRTPReplayProtectionWindow(replayWindow)
	set.SetSRTCPReplayProtectionWindow(replayWindow)
	set.SetFireOnTrackBeforeFirstRTP(true)
	set.BufferFactory = l.buffer
	if err := set.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
		return nil, fmt.Errorf("set DTLS role: %w", err)
	}
	// GCM first: the plane is measurably cheaper with it.
	set.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	if !s.forcePion {
		set.SetDTLSKeyLogWriter(l.keys)
		set.SetDTLSServerHelloMessageHook(l.keys.ServerHello)
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
		l.whenPion(func() { l.readRTCP(receiver.Read) })
		l.whenPion(func() { l.drain(remote) })
	})
	pc.SCTP().Transport().ICETransport().OnSelectedCandidatePairChange(l.moved)
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

// up is called when the connection is verified: ICE has a pair and DTLS the certificate that was signalled. Now the leg is
// given to the plane or to pion, for good.
func (l *leg) up() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isDead() || l.path != "" {
		return // too late, or back from a disturbance
	}
	l.path = pathPlane
	why := l.onPlane()
	if why == nil {
		l.dropTCPLocked()
	} else {
		l.path = pathPion
		run := l.port.LeaveToPion(l.fromPlane)
		l.r.s.wg.Go(run)
		for _, f := range l.readers {
			l.r.s.wg.Go(f)
		}
	}
	l.readers = nil
	l.r.s.metrics.legs.WithLabelValues(l.path).Inc()
	l.r.s.metrics.decided.WithLabelValues(l.path).Inc()
	log := l.r.log
	if why != nil {
		log = log.With("why", why)
	}
	log.Info("relay leg connected", "side", l.side, "path", l.path)
	l.at.Store(int64(l.r.s.now()))
	l.connected.Store(true)
	l.r.s.shares.connected(l.r.lease)
	l.r.s.wg.Go(func() {
		l.r.askKeyFrames(plane.Side(0))
		l.r.askKeyFrames(plane.Side(1))
		l.r.progress()
	})
}

// The paths a leg can have.
const (
	pathPlane = "plane"
	pathPion  = "pion"
)

// onPlane puts the leg on the plane, or says why that cannot be.
func (l *leg) onPlane() error {
	pair, err := l.pc.Load().SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return fmt.Errorf("no selected pair: %w", err)
	}
	to, err := udpAddress(pair)
	if err != nil {
		return err
	}
	return l.port.Activate(l.keys, to)
}

var errTCP = errors.New("it is connected over TCP")

func udpAddress(pair *webrtc.ICECandidatePair) (netip.AddrPort, error) {
	if pair.Remote.Protocol != webrtc.ICEProtocolUDP {
		return netip.AddrPort{}, errTCP
	}
	ip, err := netip.ParseAddr(pair.Remote.Address)
	if err != nil {
		return netip.AddrPort{}, errors.New("its address is not an IP address")
	}
	return netip.AddrPortFrom(ip, pair.Remote.Port), nil
}

// moved follows ICE to another pair. A leg of the plane that can only be reached over TCP from now on is lost: its keys
// must not be used by pion, and the client makes a new connection.
func (l *leg) moved(pair *webrtc.ICECandidatePair) {
	if pair == nil || !l.port.OnPlane() {
		return
	}
	if to, err := udpAddress(pair); err == nil {
		l.port.Retarget(to)
	} else {
		l.spawn(func() { l.r.lost(l) })
	}
}

// mediaArrived is called when the leg has sent its first packet.
func (l *leg) mediaArrived() {
	if !l.mediaSeen.Swap(true) {
		l.spawn(l.r.progress)
	}
}

// whenPion starts a reader of pion's once the leg is known to be pion's; on the plane it would wait for nothing, with a
// stack and a buffer.
func (l *leg) whenPion(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.isDead():
	case l.path == "":
		l.readers = append(l.readers, f)
	case l.path == pathPion:
		l.r.s.wg.Go(f)
	}
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
	l.port.Close()
	if l.path != "" {
		l.r.s.metrics.legs.WithLabelValues(l.path).Dec()
	}
	l.r.s.wg.Go(func() {
		if pc := l.pc.Load(); pc != nil {
			_ = pc.GracefulClose() // errors are of streams that are closed already
		}
	})
}
