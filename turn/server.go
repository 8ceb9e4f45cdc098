package turn

// This file owns the sockets and ties the parts together.

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Deps is what the rest of the process hands in.
type Deps struct {
	Log       *slog.Logger
	Metrics   prometheus.Registerer // nil: none
	PublicIPs []netip.Addr          // announced when Config.PublicIP names none; see SetPublicIPs
	Secret    []byte                // when Config.Secret is empty
	TLS       *tls.Config           // for Config.TLSListen; nil: none
	Open      bool                  // anybody may be a user of ours; see Config.OpenBytesPerSecond
	// WrapListener is given each TCP listener before anything is read from it, such as to believe a proxy or to take out
	// streams that are another server's; nil: they stay as they are.
	WrapListener func(net.Listener) net.Listener
	// TLSPort is where clients reach TURN over TLS when the HTTP side hands such streams to ServeConn; 0: nowhere.
	TLSPort int
	// Shared lets a media relay bind Config.Listen's UDP port too, after New. It tells the kernel which datagrams are for it.
	Shared bool
}

// limits are numbers that tests make small.
type limits struct {
	minLifetime, maxLifetime uint32 // seconds
	// An allocation is ended this much before the library's own timer would, because that timer races with requests.
	expiryLead             time.Duration
	permissions, channels  int // of one allocation
	streams, streamsPerIP  int
	firstFrame, idleStream time.Duration // how long a stream without allocation may be silent
	write                  time.Duration // how long a stream may refuse to be written to
	late                   time.Duration // how long a payload may wait for that

	housekeeping    time.Duration
	channelLifetime time.Duration // the library is told
	grace           time.Duration // that permissions and channels last longer than RFC 8656 says
	idle            time.Duration // 0: none
}

func defaultLimits() limits {
	return limits{
		minLifetime: 600, maxLifetime: 600, // an hour, which Firefox asks for, is long when the client is gone
		expiryLead: time.Second, permissions: 64, channels: 32,
		streams: 10_000, streamsPerIP: 200,
		firstFrame: 5 * time.Second, idleStream: time.Minute, write: 10 * time.Second, late: 500 * time.Millisecond,
		housekeeping: 10 * time.Second, channelLifetime: 10 * time.Minute, grace: 30 * time.Second,
	}
}

// Server is a STUN and TURN server. Its methods may be called before Run.
type Server struct {
	// fixed after New
	epoch        time.Time // the server's clock begins here
	cfg          Config
	log          *slog.Logger
	limits       limits
	udp          []udpListener
	tcp          net.Listener
	tls          net.Listener // may be nil
	tlsPort      int          // 0: none
	shared       bool         // the UDP port
	fixedIPs     bool         // Config.PublicIP names what is announced
	credentials  *credentials
	nonces       *nonceBinder
	budget       *budget
	policy       *policy
	ports        ports
	relays       *relayTable
	streams      *streams
	callPeers    *callPeers
	quotas       *quotas
	refusals     refusals
	reservations *reservations
	stats        *stats
	saidClosed   atomic.Int64 // see sayClosed

	running sync.WaitGroup // loops and readers of sockets
}

// New checks the configuration and listens.
func New(cfg Config, deps Deps) (*Server, error) {
	lim := defaultLimits()
	lim.idle, lim.streamsPerIP = cfg.IdleTimeout, cfg.StreamsPerIP
	return newServer(cfg, deps, lim)
}

func newServer(cfg Config, deps Deps, lim limits) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	ips, err := parseAddrs(cfg.PublicIP)
	if err != nil {
		return nil, err
	}
	fixed := len(ips) > 0
	if !fixed {
		for _, a := range deps.PublicIPs {
			ips = append(ips, canonical(a))
		}
	}
	if len(ips) == 0 {
		return nil, errors.New("turn.public_ip: no address of this machine can be announced; set it")
	}
	secret := deps.Secret
	if cfg.Secret != "" {
		secret = []byte(cfg.Secret)
	}
	if len(secret) == 0 {
		return nil, errors.New("turn.secret: there is none")
	}
	allow, err := parseAllow(cfg.AllowPeers)
	if err != nil {
		return nil, err
	}
	low, high, none, err := parsePorts(cfg.RelayPorts)
	if err != nil {
		return nil, err
	}
	s := &Server{
		epoch:       time.Now(),
		cfg:         cfg,
		log:         deps.Log,
		limits:      lim,
		credentials: &credentials{realm: cfg.Realm, users: cfg.Users},
		nonces:      newNonceBinder(),
		budget:      newBudget(cfg.UnauthenticatedPerIP),
		policy:      newPolicy(allow, ips, none),
		relays:      newRelayTable(),
		callPeers:   newCallPeers(),
		quotas:      newQuotas(cfg, deps.Open),
		stats:       newStats(),
		tlsPort:     deps.TLSPort,
		shared:      deps.Shared,
		fixedIPs:    fixed,
		streams:     newStreams(lim.streams, lim.streamsPerIP),
	}
	s.reservations = newReservations(s.relays, s.quotas)
	s.UseSecrets(secret, []byte(cfg.SecretPrevious))
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.ports = ports{low: low, high: high, none: none, own: &s.policy.own}
	if cfg.TLSListen != "" && deps.TLS == nil {
		return nil, errors.New("turn.tls_listen: there is no certificate; see http.tls_cert")
	}
	wrap := deps.WrapListener
	if wrap == nil {
		wrap = func(l net.Listener) net.Listener { return l }
	}
	if err := s.listen(); err != nil {
		return nil, err
	}
	s.tcp = wrap(s.tcp)
	if cfg.TLSListen != "" {
		l, err := net.Listen("tcp", cfg.TLSListen)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("turn.tls_listen: listen tcp %s: %w", cfg.TLSListen, err)
		}
		s.tls = tls.NewListener(wrap(l), deps.TLS)
		if s.tlsPort == 0 {
			s.tlsPort = l.Addr().(*net.TCPAddr).Port
		}
	}
	if deps.Metrics != nil {
		if err := deps.Metrics.Register(collector{s}); err != nil {
			s.close()
			return nil, fmt.Errorf("turn metrics: %w", err)
		}
	}
	s.policy.listeners[s.port()] = true
	return s, nil
}

// SetMediaRelay opens the addresses at which this process relays media to users in a call: a client whose network lets
// nothing else out comes to them through TURN.
func (s *Server) SetMediaRelay(mediaRelay []netip.AddrPort) {
	s.policy.relay.Store(&mediaRelay)
	s.policy.epoch.Add(1)
}

// listen opens UDP and TCP on the same port, also when the system is to choose it.
func (s *Server) listen() error {
	for try := 0; ; try++ {
		udp, err := listenUDP(s, s.cfg.Listen)
		if err != nil {
			return fmt.Errorf("turn.listen: listen udp %s: %w", s.cfg.Listen, err)
		}
		host, port, _ := net.SplitHostPort(s.cfg.Listen)
		chosen := port == "0"
		if chosen {
			port = strconv.Itoa(udp[0].local().(*net.UDPAddr).Port)
		}
		tcp, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err == nil {
			s.udp, s.tcp = udp, tcp
			return nil
		}
		for _, l := range udp {
			l.close()
		}
		if !chosen || try == 20 {
			return fmt.Errorf("turn.listen: listen tcp %s: %w", s.cfg.Listen, err)
		}
	}
}

// Addrs are the addresses listened on, for start-up lines and tests.
func (s *Server) Addrs() (udp, tcp net.Addr) { return s.udp[0].local(), s.tcp.Addr() }

// UDPSockets is how many sockets share the UDP port.
func (s *Server) UDPSockets() int { return len(s.udp) }

func (s *Server) port() uint16 { return uint16(s.udp[0].local().(*net.UDPAddr).Port) }

// clock is the time since the server began, in ns: cheaper to compare and to keep than a time.Time.
func (s *Server) clock() int64 { return int64(time.Since(s.epoch)) }

func (s *Server) clockAt(t time.Time) int64 { return int64(t.Sub(s.epoch)) }

// Run serves until ctx ends and returns nil after everything is closed.
func (s *Server) Run(ctx context.Context) error {
	var gates []*gate
	for _, l := range s.udp {
		f, err := newGate(s, l)
		if err != nil {
			s.close()
			return fmt.Errorf("turn: %w", err)
		}
		l.serve(f)
		gates = append(gates, f)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		<-ctx.Done()
		s.close()
		for _, f := range gates {
			f.wait()
		}
		return nil
	})
	for _, l := range []net.Listener{s.tcp, s.tls} {
		if l != nil {
			g.Go(func() error {
				s.accept(ctx, l)
				return nil
			})
		}
	}
	g.Go(func() error {
		s.keepHouse(ctx)
		return nil
	})
	err := g.Wait()
	s.running.Wait()
	return err
}

func (s *Server) close() {
	for _, l := range s.udp {
		l.close()
	}
	s.tcp.Close()
	if s.tls != nil {
		s.tls.Close()
	}
}

// keepHouse does what is done from time to time.
func (s *Server) keepHouse(ctx context.Context) {
	tick := time.NewTicker(s.limits.housekeeping)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.policy.learnOwn()
			s.forgetFormer()
			s.callPeers.forget(now)
			if idle := s.limits.idle; idle > 0 {
				for _, a := range s.relays.all() {
					a.endIfIdle(now, idle)
				}
			}
		}
	}
}
