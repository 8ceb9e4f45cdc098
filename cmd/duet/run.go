package main

// The only file where the parts meet: serve builds them from the Config, runs
// them, and ends them in order.

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"duet/configs"
	"duet/internal/forwarded"
	"duet/internal/metrics"
	"duet/internal/netaddr"
	"duet/relay"
	"duet/signaling"
	"duet/turn"
	"duet/web"
)

// serve runs a server until ctx ends, then tells the clients and returns nil.
// With replace it takes the place of one that runs with the same state directory. What can be reloaded is in reloads once
// there is something.
func serve(ctx context.Context, cfg configs.Config, replace bool, environ []string, stdout io.Writer, log *slog.Logger, reloads *atomic.Pointer[live]) error {
	dir := stateDir(cfg.StateDir, environ)
	secrets, err := loadState(dir, log)
	if err != nil {
		return err
	}
	found, err := netaddr.FromInterfaces()
	if err != nil {
		return err
	}
	if cfg.Relay.PublicIP == "" { // one machine, one address: what is said of TURN holds for the relay
		cfg.Relay.PublicIP = cfg.TURN.PublicIP
	}
	turnIPs, err := publicIPs(ctx, "turn.public_ip", cfg.TURN.PublicIP)
	if err != nil {
		return err
	}
	relayIPs := turnIPs
	if cfg.Relay.PublicIP != cfg.TURN.PublicIP {
		if relayIPs, err = publicIPs(ctx, "relay.public_ip", cfg.Relay.PublicIP); err != nil {
			return err
		}
	}
	proxies, err := forwarded.Parse(cfg.Signaling.TrustedProxies)
	if err != nil {
		return fmt.Errorf("signaling.trusted_proxies: %w", err)
	}
	balancers, err := forwarded.Parse(cfg.HTTP.ProxyProtocol)
	if err != nil {
		return fmt.Errorf("http.proxy_protocol: %w", err)
	}
	believe := func(l net.Listener) net.Listener { return proxyProtocol(l, balancers, cfg.HTTP.ProxyProtocolOptional) }
	registry := metrics.New(version)
	secure, err := newTLS(ctx, cfg.HTTP, dir, addrs(found), log)
	if err != nil {
		return err
	}

	var parts parts
	defer parts.close() // what run has not taken over when something below fails
	// The TCP ports first: with replace, connections queue here while the other process ends.
	ports := listening{}
	for _, l := range []struct {
		key, addr string
		into      *net.Listener
	}{
		{"http.listen", cfg.HTTP.Listen, &ports.plain},
		{"http.tls_listen", cfg.HTTP.TLSListen, &ports.tls},
		{"http.admin_listen", cfg.HTTP.AdminListen, &ports.admin},
	} {
		if l.addr == "" {
			continue
		}
		if *l.into, err = listenTCP(l.key, l.addr, replace); err != nil {
			return err
		}
		parts.listeners = append(parts.listeners, *l.into)
	}
	claimed, err := takeOver(ctx, dir, replace, log)
	if err != nil {
		return err
	}
	defer claimed.Close()

	deps := signaling.Deps{
		Log:            log.With("part", "signaling"),
		Metrics:        registry,
		Key:            secrets.SessionKey,
		AllowedOrigins: cfg.HTTP.AllowedOrigins,
		ServerName:     "duet",
		Version:        version,
	}
	media, err := parts.openMedia(cfg, believe, turn.Deps{
		Log: log.With("part", "turn"), Metrics: registry, PublicIPs: addrs(turnIPs),
		Secret: secrets.TURNSecret, TLS: secure.config, TLSPort: portOf(ports.tls),
		Open: cfg.Signaling.Join.Mode == "open",
	}, relay.Deps{Log: log.With("part", "relay"), Metrics: registry, PublicIPs: addrs(relayIPs)})
	if err != nil {
		return err
	}
	var turnStreams func(context.Context, net.Conn)
	var credentials http.Handler
	if media.turn != nil {
		deps.TURN, turnStreams = media.turn, media.turn.ServeConn
		credentials = credentialAPI{cfg, proxies, media.turn.Credential, media.turn.ICEServers}
	}
	if media.relay != nil {
		deps.Relay = media.relay
	}
	hub, err := signaling.New(cfg.Signaling, deps)
	if err != nil {
		return err
	}

	sessions := endSessions(hub.EndSessions)
	var programs http.Handler
	token := new(atomic.Pointer[string])
	if token.Store(&cfg.HTTP.APIToken); cfg.HTTP.APIToken != "" {
		programs = api(token, sessions, credentials)
	}
	routes := publicRoutes(hub, hub.SocketIO(), web.Handler(cfg.HTTP.FrameAncestors...), programs)
	plain, secured := notRebound(routes, ourNames(cfg), proxies, log), routes
	if ports.tls != nil && cfg.HTTP.Redirect {
		plain, secured = toHTTPS(plain, portOf(ports.tls), proxies), onlyHTTPS(routes)
	}
	admin := httpServer(adminRoutes(registry, sessions), log)
	for _, l := range []struct {
		base   net.Listener
		tls    *tls.Config
		routes http.Handler
	}{{ports.plain, nil, plain}, {ports.tls, secure.config, secured}} {
		if l.base != nil {
			m := newStreamMux(believe(l.base), l.tls, turnStreams, media.ice, log)
			parts.add(m.Run)
			parts.serve(httpServer(l.routes, log), m)
		}
	}
	if ports.admin != nil {
		parts.serve(admin, ports.admin)
	}
	parts.add(tuneGC)
	media.follow(&parts, cfg, turnIPs, relayIPs, log)
	reloads.Store(&live{hub, media.turn, secrets, token})
	announce(stdout, cfg, ports, reachable{found, turnIPs, relayIPs}, secure.how)
	return parts.run(ctx, hub.Run, cfg.HTTP.DrainTimeout)
}

func addrs(found []netaddr.Found) (all []netip.Addr) {
	for _, f := range found {
		all = append(all, f.Addr)
	}
	return all
}

// mediaParts are the parts that carry media; nil is off.
type mediaParts struct {
	turn  *turn.Server
	relay *relay.Server
	ice   func(net.Conn) // takes the streams that are for the relay, where it has no TCP port of its own
}

// openMedia opens TURN and the relay. When both have one address they share its ports: the kernel tells their datagrams
// apart, and the first bytes of a stream whose it is; the relay then takes those on the TLS port as well.
func (p *parts) openMedia(cfg configs.Config, believe func(net.Listener) net.Listener, forTURN turn.Deps, forRelay relay.Deps) (m mediaParts, err error) {
	forTURN.WrapListener = believe
	var streams *chanListener
	if cfg.SharedPort() {
		streams = newChanListener()
		m.ice = streams.give
		forTURN.Shared = true
		forTURN.WrapListener = func(l net.Listener) net.Listener {
			mux := newStreamMux(believe(l), nil, nil, m.ice, forTURN.Log)
			p.add(mux.Run)
			return mux
		}
	}
	if cfg.TURN.Enabled {
		if m.turn, err = turn.New(cfg.TURN, forTURN); err != nil {
			return m, err
		}
		p.add(m.turn.Run)
	}
	if streams != nil {
		_, streams.addr = m.turn.Addrs()
		forRelay.SharedPort = &relay.SharedPort{Sockets: m.turn.UDPSockets(), Streams: streams, Ports: []uint16{uint16(portOf(streams))}}
		if forTURN.TLSPort != 0 { // which is open where nothing else is
			forRelay.SharedPort.Ports = append(forRelay.SharedPort.Ports, uint16(forTURN.TLSPort))
		}
	}
	if cfg.Relay.Mode != relay.Off {
		if m.relay, err = relay.New(cfg.Relay, forRelay); err != nil {
			return m, err
		}
		p.add(m.relay.Run)
		if m.turn != nil {
			m.turn.SetMediaRelay(m.relay.Reachable())
		}
	}
	return m, nil
}

// portOf is the port of a listener, 0 when it is off.
func portOf(l net.Listener) int {
	if l == nil {
		return 0
	}
	addr, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil {
		return 0
	}
	return int(addr.Port())
}

// parts are what runs beside the signaling.
type parts struct {
	runs      []func(context.Context) error
	listeners []net.Listener
	running   bool
}

func (p *parts) add(run func(context.Context) error) { p.runs = append(p.runs, run) }

// serve adds an HTTP server on one listener. The listener is closed at the first
// signal, streams that it gave out live until the rest ends.
func (p *parts) serve(server *http.Server, l net.Listener) {
	p.listeners = append(p.listeners, l)
	p.add(func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() { l.Close() })
		defer stop()
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("serve %s: %w", l.Addr(), err)
		}
		<-ctx.Done()
		// Its only errors are of listeners, and those are closed by now: a server
		// with two may not have taken note of the other one yet.
		_ = server.Close()
		return nil
	})
}

// close ends parts that were built but never run, by running them with a context that has ended.
func (p *parts) close() {
	if p.running {
		return
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, run := range p.runs {
		run(ended)
	}
	for _, l := range p.listeners {
		l.Close()
	}
}

// run works until ctx ends or a part fails. The signaling ends first, for it
// has something to tell its clients; all other parts serve until it has, or
// until drain has passed.
func (p *parts) run(ctx context.Context, signaling func(context.Context) error, drain time.Duration) error {
	p.running = true
	rest, endRest := context.WithCancel(context.WithoutCancel(ctx))
	defer endRest()
	group, groupCtx := errgroup.WithContext(rest)
	for _, run := range p.runs {
		group.Go(func() error { return run(groupCtx) })
	}
	first, endFirst := context.WithCancel(groupCtx)
	defer endFirst()
	stop := context.AfterFunc(ctx, func() {
		for _, l := range p.listeners {
			l.Close()
		}
		endFirst()
		time.AfterFunc(drain, endRest)
	})
	defer stop()
	group.Go(func() error {
		defer endRest()
		return signaling(first)
	})
	return group.Wait()
}
