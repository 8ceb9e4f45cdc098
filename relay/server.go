package relay

// The relay's ports and its rooms.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
	"github.com/prometheus/client_golang/prometheus"

	"duet/internal/lock"
	"duet/internal/pionlog"
	"duet/relay/plane"
)

// The errors whose text a client may see.
var (
	ErrFull    = errors.New("the relay is full")
	ErrOff     = errors.New("the relay is off")
	ErrNoRoom  = errors.New("this call is not relayed")
	ErrStopped = errors.New("the relay is shutting down")
)

// Deps are the relay's neighbours.
type Deps struct {
	Log     *slog.Logger          // nil: silent
	Metrics prometheus.Registerer // nil: none
	// PublicIPs are announced when Config.PublicIP names none.
	PublicIPs []netip.Addr
	// SharedPort is set when Config.Listen is a TURN server's address too.
	SharedPort *SharedPort
}

// Server relays calls. Its methods may be called from any goroutine; all but Run return at once and make no system call.
type Server struct {
	// Fixed after New.
	cfg       Config
	log       *slog.Logger
	pion      pionlog.Factory
	udp       net.Addr
	tcp       net.Listener
	plane     *plane.Plane
	udpMux    ice.UDPMux
	tcpMux    ice.TCPMux
	net       *anyNet
	certs     []webrtc.Certificate
	bound     netip.Addr
	families  []bool   // that pion knows; true is IPv6
	port      uint16   // of UDP
	streams   []uint16 // ports of TCP
	began     time.Time
	metrics   metrics
	forcePion bool // tests: no leg is for the plane

	ips  atomic.Pointer[[]netip.Addr] // that answers carry; never changed, only replaced
	legs atomic.Uint64                // the last leg's number
	wg   sync.WaitGroup               // legs that are being closed, and the goroutines of those that live

	shares *shares

	mu      lock.Mutex[lock.Server]
	rooms   map[string]*room
	stopped bool
}

// New checks the configuration and opens the ports. Mode off opens none.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: deps.Log, rooms: map[string]*room{}, shares: newShares(cfg.MaxCalls), began: time.Now().Add(-time.Second)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.pion = pionlog.New(s.log)
	if cfg.Mode == Off {
		return s, s.metrics.register(deps.Metrics, nil, nil)
	}
	at, _ := splitListen(cfg.Listen)
	configured, _ := parseIPs(cfg.PublicIP)
	var err error
	if s.certs, err = certificate(); err != nil {
		return nil, err
	}
	var udp *net.UDPConn
	var tcp net.Listener
	if b := deps.SharedPort; b != nil {
		tcp, s.streams = b.Streams, b.Ports
		if udp, err = listenShared(listenText(at), b.Sockets); err != nil {
			return nil, fmt.Errorf("listen udp %s: %w", cfg.Listen, err)
		}
	} else if udp, tcp, err = listen(at); err != nil {
		return nil, err
	}
	s.udp, s.tcp = udp.LocalAddr(), tcp
	bound := udp.LocalAddr().(*net.UDPAddr).AddrPort()
	ips := announced(bound.Addr(), configured, deps.PublicIPs)
	s.ips.Store(&ips)
	s.bound, s.port = bound.Addr(), bound.Port()
	for _, ip := range ips {
		s.families = append(s.families, ip.Is6())
	}
	if s.streams == nil {
		s.streams = []uint16{s.port}
	}
	if s.net, err = newAnyNet(ips); err != nil {
		_ = udp.Close()
		_ = tcp.Close()
		return nil, err
	}
	s.plane = plane.New(udp, &net.UDPAddr{IP: net.IPv6unspecified, Port: int(s.port)}, s.now)
	if err := s.metrics.register(deps.Metrics, s.plane.Stats, &s.plane.Totals); err != nil {
		_ = s.plane.Close()
		_ = tcp.Close()
		return nil, err
	}
	log := s.pion.NewLogger("ice")
	s.udpMux = ice.NewUDPMuxDefault(ice.UDPMuxParams{Logger: log, UDPConn: s.plane, Net: s.net})
	s.tcpMux = ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: newAnyTCP(s.tcp, cfg.StreamsPerIP, s.log), Logger: log, ReadBufferSize: 64,
		WriteBufferSize:      256 << 10, // for each connection; a client that reads too slowly loses packets, as with UDP
		FirstStunBindTimeout: 10 * time.Second, AliveDurationForConnFromStun: 10 * time.Second,
	})
	return s, nil
}

// Run works until ctx ends, then closes all rooms and ports and returns nil.
func (s *Server) Run(ctx context.Context) error {
	loop := make(chan error, 1)
	if s.cfg.Mode != Off {
		go func() { loop <- s.plane.Run() }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-loop: // the socket broke
		loop <- nil
	}
	s.mu.Lock()
	s.stopped = true
	rooms := s.rooms
	s.rooms = map[string]*room{}
	s.mu.Unlock()
	for _, r := range rooms {
		r.close()
	}
	s.wg.Wait()
	if s.cfg.Mode != Off {
		_ = s.tcpMux.Close()
		_ = s.udpMux.Close()
		_ = s.plane.Close()
		_ = s.tcp.Close()
		err = errors.Join(err, <-loop)
	}
	return err
}

// Addrs are the bound addresses; nil when the relay is off.
func (s *Server) Addrs() (udp, tcp net.Addr) {
	if s.cfg.Mode == Off {
		return nil, nil
	}
	return s.udp, s.tcp.Addr()
}

// Mode is what clients are told: off, fallback, prefer or always, and how long they wait for a direct connection.
func (s *Server) Mode() (mode string, fallbackAfter time.Duration) {
	return s.cfg.Mode, s.cfg.FallbackAfter
}

// Reserve opens a room for a call of two users, who come from these addresses. When both are one and the same, it gets back
// what it sends. notify hears what becomes of it. In a new room
// audio and video are on and screen is off: tell what differs by Mute. The text of an error may be shown to a client.
// Reserving a room that is open keeps it.
func (s *Server) Reserve(call string, users [2]string, from [2]netip.Addr, notify Notify) error {
	if s.cfg.Mode == Off {
		return ErrOff
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped:
		return ErrStopped
	case s.rooms[call] != nil:
		return nil
	}
	loop := users[0] == users[1] && users[0] != ""
	if loop {
		users[1] = "" // counts once
	}
	l, evicted, err := s.shares.take(users, from, time.Now())
	if err != nil {
		return err
	}
	l.room = newRoom(s, call, l, loop, notify)
	s.rooms[call] = l.room
	s.metrics.calls.Inc()
	if evicted != nil {
		evicted.room.fail("the relay is full, and nobody has come here")
	}
	return nil
}

// Notify is told what becomes of a room, by a goroutine of the relay's, one thing at a time and in order; nothing after
// Close has returned, unless the call was under way. The events follow, each with a user and a detail or an empty text.
// The text of reasons may be shown to a client.
type Notify = func(event, user, detail string)

// The events. Each offer is followed by one of the first four, in the order in which a user has offered.
const (
	Answered   = "answered"   // user's offer; detail is the SDP
	Unfit      = "unfit"      // user's offer, for what is in it; detail is the reason. What was agreed before goes on
	Refused    = "refused"    // user's offer, for a fault of ours; detail is for the log alone. What was agreed before goes on
	Superseded = "superseded" // user's offer, by a newer one before it was answered
	Ready      = "ready"      // both legs carry media; once
	Failed     = "failed"     // the room is lost, and still to be closed; detail is the reason. The last event
)

func (s *Server) room(call string) *room {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rooms[call]
}

// Offer takes a user's offer, the first one or a further one (renegotiation, ICE restart, or a whole new connection). What
// it is answered with is told to the room's Notify; it may wait for the other user's first offer, so that both speak the
// same codecs. An error means that it was not taken, and its text may be shown.
func (s *Server) Offer(call, user, sdp string) error {
	r := s.room(call)
	if r == nil {
		return ErrNoRoom
	}
	return r.offer(user, sdp, func(event, detail string) { r.tell(event, user, detail) })
}

// Candidate takes a user's candidate: an RTCIceCandidateInit as JSON, or null. The relay is an ICE-lite agent and
// answers checks from wherever they come, so it only looks whether the message is well formed; no address that a client
// names is ever sent to unless a check came from there.
func (s *Server) Candidate(call, user, candidateJSON string) error {
	if s.room(call) == nil {
		return ErrNoRoom
	}
	var c *struct {
		Candidate *string `json:"candidate"`
	}
	if err := json.Unmarshal([]byte(candidateJSON), &c); err != nil || c != nil && c.Candidate == nil {
		return fmt.Errorf("the candidate is not an RTCIceCandidateInit")
	}
	return nil
}

// Mute sets the state of a user's track: on is forwarded, off is not, whatever the client sends. kind is audio, video or
// screen. Unknown calls and kinds are ignored.
func (s *Server) Mute(call, user, kind string, on bool) {
	r := s.room(call)
	if r == nil {
		return
	}
	for k := range plane.Kinds {
		if k.String() == kind {
			r.mute(user, k, on)
		}
	}
}

// Connected says whether a user's leg is connected.
func (s *Server) Connected(call, user string) bool {
	r := s.room(call)
	return r != nil && r.reached(user)
}

// Close ends a call's room. The legs are closed in the background.
func (s *Server) Close(call string) {
	s.mu.Lock()
	r := s.rooms[call]
	if r == nil {
		s.mu.Unlock()
		return
	}
	delete(s.rooms, call)
	s.wg.Add(1) // under the lock: Run, which will not find the room, has not begun to wait
	s.mu.Unlock()
	defer s.wg.Done()
	r.close()
}

// now is the clock of packets: monotonic and never zero.
func (s *Server) now() time.Duration { return time.Since(s.began) }
