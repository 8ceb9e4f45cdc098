package signaling

// This file is the node: it lets connections in, holds sessions and calls, and
// ends them.

import (
	"container/list"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"duet/internal/forwarded"
	"duet/internal/lock"
	"duet/internal/peraddr"
	"duet/signaling/call"
	"duet/signaling/join"
	"duet/signaling/presence"
	"duet/signaling/protocol"
	"duet/signaling/wsconn"
)

// Hub is the http.Handler behind /ws; its exported methods may be called by
// anybody at any time.
type Hub struct {
	cfg      Config
	began    time.Time // its monotonic reading is the clock of what is due
	log      *slog.Logger
	relay    Relay // nil: off
	turn     TURN  // nil: off
	about    protocol.ServerAbout
	origins  join.Origins
	proxies  forwarded.Proxies
	upgrader *wsconn.Upgrader
	tokens   atomic.Pointer[join.Authenticator] // replaced by Reload
	limits   *join.Limits
	metrics  *metrics
	signer   signer // of session tokens

	relayMode  string
	relayAfter time.Duration

	roster      *presence.Roster
	conns       conns
	relayEvents relayEvents // what the relay says
	relayCalls  relayCalls  // what it is asked

	watchHolds func(since time.Time) // a benchmark's; nil: nobody measures how long mu is held

	mu       lock.Mutex[lock.Hub] // guards the rest: sessions, calls, and every step of the rules
	machine  *call.Machine
	sessions map[string]*session        // by id
	absent   absent                     // those without a connection
	timers   map[*call.Call]*time.Timer // of calls that ring, or wait for a diagnosis
	past     past                       // sessions and calls that have ended
	offers   map[*call.Call][]pendingOffer
	draining bool

	recoverable map[string]*session // by pid
	subjects    subjects
}

// New checks the configuration. Connections are served from the first request,
// but pings, presence and the end need [Hub.Run].
func New(cfg Config, deps Deps) (*Hub, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	h := &Hub{
		cfg:         cfg,
		began:       time.Now(),
		log:         deps.Log,
		relay:       deps.Relay,
		turn:        deps.TURN,
		about:       protocol.ServerAbout{Name: deps.ServerName, Version: deps.Version, Protocol: 1},
		relayMode:   "off",
		relayAfter:  8 * time.Second,
		roster:      presence.New(cfg.ListInterval, cfg.PresenceInterval),
		limits:      join.NewLimits(cfg.MaxConnections, cfg.MaxConnectionsPerIP, cfg.Rate, cfg.Burst),
		conns:       conns{all: map[*conn]struct{}{}},
		relayEvents: relayEvents{wake: make(chan struct{}, 1)},
		past:        newPast(cfg.RestoreWindow),
		absent:      absent{from: map[peraddr.Key]*list.List{}, most: keptInAll},
		sessions:    map[string]*session{},
		timers:      map[*call.Call]*time.Timer{},
		offers:      map[*call.Call][]pendingOffer{},

		recoverable: map[string]*session{},
		subjects:    subjects{},
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	key := deps.Key
	if len(key) == 0 {
		key = make([]byte, 32)
		rand.Read(key) // never fails
	}
	h.signer = newSigner(key)
	var err error
	if h.proxies, err = forwarded.Parse(cfg.TrustedProxies); err != nil {
		return nil, fmt.Errorf("signaling.trusted_proxies: %w", err)
	}
	h.origins = join.NewOrigins(deps.AllowedOrigins, h.proxies)
	if h.relay != nil {
		h.relayMode, h.relayAfter = h.relay.Mode()
	}
	h.machine = call.New(h.relayMode, func() string { return protocol.NewID("c_") }, ruleLimits{h})
	if cfg.Echo != "" {
		if h.relayMode == "off" {
			return nil, errors.New("signaling.echo: there is no echo without the relay, and relay.mode is off")
		}
		name, _ := protocol.CleanName(cfg.Echo)
		u := h.machine.AddEcho(protocol.NewID("u_"), name)
		h.roster.Add(u.ID, u.Name, false, u.Status())
	}
	h.upgrader = wsconn.New(wsconn.Config{
		MaxMessage: maxMessage, QueueFrames: 2 * cfg.OutboxMessages, QueueBytes: 2 * cfg.OutboxBytes,
		HandshakeTimeout: cfg.JoinTimeout, WriteTimeout: cfg.WriteTimeout, IdleTimeout: cfg.IdleTimeout,
		CheckOrigin: h.origins.Allow,
	})
	tokens, err := join.NewAuthenticator(cfg.Join)
	if err != nil {
		return nil, err
	}
	h.tokens.Store(tokens)
	if h.metrics, err = newMetrics(deps.Metrics); err != nil {
		return nil, err
	}
	return h, nil
}

// ServeHTTP upgrades a request to a WebSocket and serves it.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ip := h.proxies.Client(r)
	if !h.allowOrigin(w, r) {
		return
	}
	if !wsconn.IsUpgrade(r) { // also how a page asks why its WebSocket does not come through
		w.Header().Set("Upgrade", "websocket")
		http.Error(w, "this is a WebSocket", http.StatusUpgradeRequired)
		return
	}
	budget := h.enter(w, ip)
	if budget == nil {
		return
	}
	c := &conn{hub: h, ip: ip, host: h.origins.TURNHost(r), budget: budget, limit: rate.NewLimiter(rate.Limit(h.cfg.Rate), h.cfg.Burst)}
	ws, err := h.upgrader.Upgrade(w, r, c)
	if err != nil {
		h.limits.Leave(ip, time.Now())
		h.conns.running.Done()
		h.log.Debug("websocket handshake refused", "err", err)
		return
	}
	c.wire = ws
	c.pingAt = time.Now().Add(h.cfg.PingInterval)
	h.metrics.connections.Inc()
	h.conns.add(c)
	h.do(func(st *step) {
		c.joinBy = time.AfterFunc(h.cfg.JoinTimeout, func() { h.joinTimeout(c) })
		if st.draining {
			c.close(protocol.CloseGoingAway, "the server is going away")
		}
	})
	go ws.Read() // a stack of its own: this one has grown by serving HTTP
}

// allowOrigin answers the requests of pages that may not connect.
func (h *Hub) allowOrigin(w http.ResponseWriter, r *http.Request) bool {
	if h.origins.Allow(r) {
		return true
	}
	h.metrics.refusedConn("origin")
	origin, asked := r.Header.Get("Origin"), h.proxies.Host(r)
	h.log.Warn("a page may not connect: name its origin in http.allowed_origins, or let the proxy pass on Host or, if it is one of signaling.trusted_proxies, X-Forwarded-Host",
		"origin", origin[:min(len(origin), 200)], "host", asked[:min(len(asked), 200)])
	http.Error(w, "this page may not connect: its origin is not allowed", http.StatusForbidden)
	return false
}

// enter takes a place for a connection and returns the budget of its address; a request without a place is answered.
func (h *Hub) enter(w http.ResponseWriter, ip netip.Addr) *rate.Limiter {
	budget, status := h.limits.Enter(ip)
	if status == 0 && !h.conns.enter() {
		h.limits.Leave(ip, time.Now())
		status = http.StatusServiceUnavailable
	}
	if status != 0 {
		h.metrics.refusedConn("limit")
		w.Header().Set("Retry-After", "5")
		http.Error(w, http.StatusText(status), status)
		return nil
	}
	return budget
}

func (h *Hub) joinTimeout(c *conn) {
	h.do(func(*step) {
		if c.session == nil {
			c.close(protocol.CloseNotJoined, "nobody joined")
		}
	})
}

// rang is told by a writer that incomingCalls have been written.
func (h *Hub) rang(calls []string) {
	for _, id := range calls {
		h.do(func(st *step) { st.apply(call.Ringing{CallID: id}) })
	}
}

// gone is the end of a connection's reader.
func (h *Hub) gone(c *conn) {
	h.conns.drop(c)
	h.limits.Leave(c.ip, time.Now())
	h.metrics.connections.Dec()
	h.conns.running.Done()
}

// Run keeps connections alive and tells who is online until ctx ends. Then it
// tells the clients, ends what cannot go on without this process, closes the
// connections and returns nil.
func (h *Hub) Run(ctx context.Context) error {
	var work sync.WaitGroup
	roster, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	work.Go(func() { h.roster.Run(roster) })
	work.Go(func() { h.tick(ctx) })
	work.Go(func() { h.takeRelayEvents(roster) })
	work.Go(func() { join.RefreshKeys(ctx, h.tokens.Load, h.log) })
	<-ctx.Done()
	h.drain()
	stop()
	work.Wait()
	return nil
}

// tick pings what is due and renews old session tokens.
func (h *Hub) tick(ctx context.Context) {
	ticker := time.NewTicker(min(time.Second, h.cfg.PingInterval/4, h.cfg.SessionRenewal/4))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			ping, renew := h.conns.due(now, now.Sub(h.began), h.cfg.PingInterval)
			for _, c := range ping {
				c.push(protocol.Frame{Kind: protocol.Ping})
				c.flush()
			}
			h.renewAged(renew)
			h.forget()
			h.limits.Forget(now)
		}
	}
}
