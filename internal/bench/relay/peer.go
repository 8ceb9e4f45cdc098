package relay

// This file is one client: its end of ICE, DTLS and SRTP, and the packets that it sends.

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/pion/transport/v5/deadline"

	"duet/internal/bench"
	"duet/internal/lock"
)

// peer is a client.
type peer struct {
	e           *engine
	index       int
	socket      *bench.Socket
	addr        netip.Addr
	from        netip.Addr // addr where the socket is shared
	port        uint16
	session     uint64
	fingerprint string
	ufrag, pwd  string
	tie         [8]byte
	media       []media
	controlling bool
	dtlsClient  bool

	// Guarded by engine.mu until the call is up.
	remote    description
	known     bool // remote is set
	route     bench.Route
	checkID   [12]byte
	checked   time.Time
	alive     bool
	aliveOnce chan struct{} // closed with the first answered check
	pipe      *pipe
	conn      *dtls.Conn
	tx, rx    *srtp.Context
	profile   string

	flows   [2]*flow // audio, video
	feeds   []*feed  // what is heard
	twccSeq uint16
	twccID  uint8
	twcc    *twcc.Recorder
	header  rtp.Header // memory for reading
}

// flow is a stream that a peer sends.
type flow struct {
	from  *peer
	to    *peer
	kind  int
	media media
	seq   uint16
	ts    uint32
	n     uint32 // packets sent
	plain []byte // the packet before it is sealed
	out   rtp.Header
	octet uint32
}

// feed is a stream that a peer hears.
type feed struct {
	ssrc    uint32
	highest uint32 // extended
	first   uint32
	n       uint32
	lastSR  uint32
	srAt    time.Time
}

func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

func (e *engine) newPeer(i int, local netip.Addr) *peer {
	var seed [16]byte
	rand.Read(seed[:])
	p := &peer{
		e: e, index: i, socket: e.sockets[len(e.sockets)-1], addr: local, port: e.sockets[len(e.sockets)-1].Local().Port(),
		session: binary.BigEndian.Uint64(seed[:]) >> 2, fingerprint: e.fingerprint, ufrag: random(4), pwd: random(12),
		tie: [8]byte(seed[8:]), aliveOnce: make(chan struct{}), media: offered(!e.o.NoRTCP),
	}
	if !local.IsValid() {
		p.addr = netip.AddrFrom4([4]byte{127, 60 + byte(i>>16), byte(i >> 8), byte(i)})
		p.from = p.addr
	}
	for k := range p.media {
		p.media[k].ssrc = binary.BigEndian.Uint32(seed[4*k:])&0x7fffffff | 1
	}
	p.pipe = &pipe{p: p, in: make(chan []byte, 64), gone: make(chan struct{}), deadline: deadline.New()}
	return p
}

// meet takes the other side's description. offerer says which side this one was.
func (p *peer) meet(text string, offerer bool) error {
	d, err := parse(text)
	if err != nil {
		return err
	}
	at := d.candidates[0]
	for _, c := range d.candidates {
		if c.Addr().IsLoopback() {
			at = c
		}
	}
	p.e.mu.Lock()
	defer p.e.mu.Unlock()
	p.remote, p.known = d, true
	p.controlling = offerer || d.lite
	p.route = bench.NewRoute(p.from, at)
	for k := range p.media {
		m := &p.media[k]
		if theirs := d.media[k]; offerer {
			m.pt = theirs.pt
			if theirs.exts[uriTWCC] == 0 {
				delete(m.exts, uriTWCC)
			}
			if theirs.exts[uriTime] == 0 {
				delete(m.exts, uriTime)
			}
			if theirs.exts[uriMid] == 0 {
				delete(m.exts, uriMid)
			}
		}
	}
	return nil
}

// accept makes the media of an answer out of the offer that the other side made.
func (p *peer) accept(text string) error {
	d, err := parse(text)
	if err != nil {
		return err
	}
	for k := range p.media {
		m := &p.media[k]
		theirs := d.media[k]
		if theirs.kind != m.kind {
			return fmt.Errorf("the offer's media are not audio and video but %s first", theirs.kind)
		}
		m.mid, m.pt = theirs.mid, theirs.pt
		exts := map[string]uint8{}
		for uri := range m.exts {
			if id := theirs.exts[uri]; id != 0 {
				exts[uri] = id
			}
		}
		m.exts = exts
	}
	return nil
}

// secure runs ICE to its first answer, then DTLS, and takes the keys.
func (p *peer) secure(ctx context.Context, client bool) error {
	if client {
		select {
		case <-p.aliveOnce:
		case <-ctx.Done():
			return fmt.Errorf("peer %d: ICE: no answer: %w", p.index, ctx.Err())
		}
	}
	profiles := dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	verify := dtls.WithVerifyPeerCertificate(func(raw [][]byte, _ [][]*x509.Certificate) error {
		if len(raw) == 0 || !strings.EqualFold(fingerprintOf(raw[0]), p.remote.fingerprint) {
			return errors.New("the certificate is not the one that was signalled")
		}
		return nil
	})
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.addr, p.port))
	var conn *dtls.Conn
	var err error
	if client {
		conn, err = dtls.ClientWithOptions(p.pipe, to, profiles, verify, dtls.WithCertificates(p.e.cert), dtls.WithInsecureSkipVerify(true),
			dtls.WithFlightInterval(200*time.Millisecond))
	} else {
		conn, err = dtls.ServerWithOptions(p.pipe, to, profiles, verify, dtls.WithCertificates(p.e.cert), dtls.WithInsecureSkipVerify(true),
			dtls.WithFlightInterval(200*time.Millisecond), dtls.WithClientAuth(dtls.RequireAnyClientCert))
	}
	if err == nil {
		err = conn.HandshakeContext(ctx)
	}
	if err != nil {
		return fmt.Errorf("peer %d: DTLS: %w", p.index, err)
	}
	profile, ok := conn.SelectedSRTPProtectionProfile()
	state, ok2 := conn.ConnectionState()
	if !ok || !ok2 {
		return fmt.Errorf("peer %d: DTLS without SRTP", p.index)
	}
	keys := srtp.Config{Profile: srtp.ProtectionProfile(profile)}
	if err := keys.ExtractSessionKeysFromDTLS(&state, client); err != nil {
		return fmt.Errorf("peer %d: SRTP keys: %w", p.index, err)
	}
	p.e.mu.Lock()
	defer p.e.mu.Unlock()
	p.conn = conn
	return p.keys(keys)
}

// keys makes the contexts and what hangs on the negotiated extensions.
func (p *peer) keys(c srtp.Config) (err error) {
	if p.tx, err = srtp.CreateContext(c.Keys.LocalMasterKey, c.Keys.LocalMasterSalt, c.Profile); err != nil {
		return err
	}
	p.profile = "AES_CM_128_HMAC_SHA1_80"
	if c.Profile == srtp.ProtectionProfileAeadAes128Gcm {
		p.profile = "AEAD_AES_128_GCM"
	}
	p.twccID = p.media[1].exts[uriTWCC]
	p.twcc = twcc.NewRecorder(p.media[0].ssrc)
	p.rx, err = srtp.CreateContext(c.Keys.RemoteMasterKey, c.Keys.RemoteMasterSalt, c.Profile)
	return err
}

func fingerprintOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	var parts []string
	for _, b := range sum {
		parts = append(parts, fmt.Sprintf("%02X", b))
	}
	return strings.Join(parts, ":")
}

func fingerprintOfCert(c tls.Certificate) string { return fingerprintOf(c.Certificate[0]) }

// pipe is the net.PacketConn below a peer's DTLS: the engine's loop feeds it.
type pipe struct {
	p    *peer
	in   chan []byte
	gone chan struct{}
	once sync.Once

	mu       lock.Mutex[lock.Leaf] // guards deadline's replacement; the type guards itself otherwise
	deadline *deadline.Deadline
}

// feed never waits: what does not fit is lost, as on a network.
func (c *pipe) feed(b []byte) {
	select {
	case c.in <- append([]byte(nil), b...):
	default:
	}
}

func (c *pipe) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case <-c.gone:
		return 0, nil, net.ErrClosed
	case <-c.deadline.Done():
		return 0, nil, c.deadline.Err()
	case in := <-c.in:
		return copy(b, in), c.LocalAddr(), nil
	}
}

func (c *pipe) WriteTo(b []byte, _ net.Addr) (int, error) {
	c.p.e.mu.Lock()
	defer c.p.e.mu.Unlock()
	if c.p.known && !c.p.e.closed {
		copy(c.p.socket.Queue(&c.p.route, len(b)), b)
		c.p.socket.Flush()
	}
	return len(b), nil
}

func (c *pipe) Close() error {
	c.once.Do(func() { close(c.gone) })
	return nil
}

func (c *pipe) LocalAddr() net.Addr {
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.p.addr, c.p.port))
}

func (c *pipe) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline.Set(t)
	return nil
}

func (c *pipe) SetReadDeadline(t time.Time) error { return c.SetDeadline(t) }
func (c *pipe) SetWriteDeadline(time.Time) error  { return nil }
