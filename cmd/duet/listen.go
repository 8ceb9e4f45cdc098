package main

// Sockets: one port serves several protocols, told apart by what the client
// says first, so that 443/tcp and 3478/udp are all an operator has to open.

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"

	"duet/internal/forwarded"
)

// helloTimeout bounds the TLS handshake and the first byte of a stream.
const helloTimeout = 10 * time.Second

// listenTCP opens addr; the error says what to do when the port is taken.
func listenTCP(key, addr string, replace bool) (net.Listener, error) {
	l, err := shared(addr, replace)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: %s is taken by another program: end it or choose another port", key, addr)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s: %s needs a privilege: choose a port from 1024 on, or grant CAP_NET_BIND_SERVICE", key, addr)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return l, nil
}

// proxyProtocol takes the client's address from the PROXY protocol header of
// connections that come from the given networks, and leaves all others alone. With optional a connection from there may
// come without.
func proxyProtocol(l net.Listener, trusted forwarded.Proxies, optional bool) net.Listener {
	if len(trusted) == 0 {
		return l
	}
	believed := proxyproto.REQUIRE
	if optional {
		believed = proxyproto.USE
	}
	return &proxyproto.Listener{
		Listener:          l,
		ReadHeaderTimeout: helloTimeout,
		ConnPolicy: func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			upstream, err := netip.ParseAddrPort(o.Upstream.String())
			if err != nil {
				return proxyproto.SKIP, nil
			}
			if trusted.Contain(upstream.Addr()) {
				return believed, nil
			}
			return proxyproto.SKIP, nil
		},
	}
}

// chanListener is a listener whose streams are given to it.
type chanListener struct {
	addr      net.Addr
	queue     chan net.Conn
	closed    chan struct{}
	closeOnce sync.Once
}

func newChanListener() *chanListener {
	return &chanListener{queue: make(chan net.Conn), closed: make(chan struct{})}
}

// give waits until the stream is accepted; it is closed if that is not to be.
func (h *chanListener) give(c net.Conn) {
	select {
	case h.queue <- c:
	case <-h.closed:
		c.Close()
	}
}

// Accept implements net.Listener.
func (h *chanListener) Accept() (net.Conn, error) {
	select {
	case c := <-h.queue:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Addr is the address of the port that they come from.
func (h *chanListener) Addr() net.Addr { return h.addr }

// Close stops accepting; streams handed out stay open.
func (h *chanListener) Close() error {
	h.closeOnce.Do(func() { close(h.closed) })
	return nil
}

// streamMux accepts the streams of one port and hands each to who understands it: as a listener, to the port's own server.
type streamMux struct {
	*chanListener
	base    net.Listener                    // the port itself
	tls     *tls.Config                     // nil on a plain port
	turn    func(context.Context, net.Conn) // nil: not here
	ice     func(net.Conn)                  // likewise
	log     *slog.Logger
	limiter *connLimiter
}

func newStreamMux(base net.Listener, tlsConfig *tls.Config, turn func(context.Context, net.Conn), ice func(net.Conn), log *slog.Logger) *streamMux {
	return &streamMux{chanListener: newChanListener(), base: base, tls: tlsConfig, turn: turn, ice: ice, log: log, limiter: newConnLimiter()}
}

// Addr is the port's address.
func (m *streamMux) Addr() net.Addr { return m.base.Addr() }

// Close stops accepting; streams handed out stay open.
func (m *streamMux) Close() error {
	m.chanListener.Close()
	return m.base.Close()
}

// Run accepts until ctx ends or Close, and returns when no stream is undecided
// and every TURN stream has ended.
func (m *streamMux) Run(ctx context.Context) error {
	defer m.Close()
	stop := context.AfterFunc(ctx, func() { m.Close() })
	defer stop()
	var streams sync.WaitGroup
	defer streams.Wait()
	for wait := time.Duration(0); ; {
		c, err := m.base.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil { // out of file descriptors, say: the port must outlive it
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			m.log.Warn("accept", "listen", m.base.Addr().String(), "error", err, "again_in", wait)
			select {
			case <-time.After(wait):
				continue
			case <-m.closed:
				return nil
			}
		}
		wait = 0
		s, oldest := m.limiter.accepted(c)
		m.giveWay(oldest)
		streams.Go(func() { m.decide(ctx, c, s) })
	}
}

// giveWay closes a stream for another's sake; nil is none.
func (m *streamMux) giveWay(c net.Conn) {
	if c == nil {
		return
	}
	m.log.Warn("too many streams, an old one that says nothing is closed", "listen", m.base.Addr().String())
	c.Close()
}

// decide finds out what a stream speaks and hands it on.
func (m *streamMux) decide(ctx context.Context, c net.Conn, s *stream) {
	p, protocol := m.sniff(ctx, c, s)
	s.decided()
	switch {
	case p == nil:
		s.leave()
		c.Close()
	case m.ice != nil && isCheck(p.first):
		s.leave()
		m.ice(p)
	// Browsers name no protocol for turns:, so its first byte tells: STUN's is 0 to 3, HTTP's a letter.
	case m.turn != nil && protocol != "http/1.1" && (protocol == "stun.turn" || p.first[0] < 4):
		s.leave()
		m.turn(ctx, p)
	default:
		m.give(p)
	}
}

// headSize is how much of a stream is looked at; no message of any protocol here is shorter.
const headSize = 4

// isCheck tells ICE over TCP, a Binding request behind its length (RFC 4571), from TURN, whose second pair of bytes is the
// length, a multiple of four.
func isCheck(head []byte) bool { return head[0] < 4 && head[2] == 0 && head[3] == 1 }

// sniff takes a stream as far as its first bytes, and the protocol that TLS agreed on; nil when there is nothing to go on
// with.
func (m *streamMux) sniff(ctx context.Context, c net.Conn, s *stream) (p *peeked, protocol string) {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	c.SetDeadline(time.Now().Add(helloTimeout))
	from := c.RemoteAddr() // behind a proxy, this waits for its header
	oldest, ok := s.enter(from)
	m.giveWay(oldest)
	if !ok {
		m.log.Warn("too many streams of one address, refused", "listen", m.base.Addr().String(), "remote", from.String())
		return nil, ""
	}
	p = &peeked{Conn: c, first: make([]byte, headSize), stream: s}
	if _, err := io.ReadFull(c, p.first); err != nil {
		return nil, ""
	}
	s.spoke()
	if m.tls != nil && !(m.ice != nil && isCheck(p.first)) { // browsers do not check over TLS
		secure := tls.Server(p, m.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			m.refuse(c, err)
			return nil, ""
		}
		protocol = secure.ConnectionState().NegotiatedProtocol
		p = &peeked{Conn: secure, first: make([]byte, headSize), stream: s}
		if _, err := io.ReadFull(secure, p.first); err != nil {
			return nil, ""
		}
	}
	c.SetDeadline(time.Time{})
	return p, protocol
}

// refuse tells a browser that spoke HTTP to the TLS port what is wrong.
func (m *streamMux) refuse(c net.Conn, err error) {
	var header tls.RecordHeaderError
	if errors.As(err, &header) && header.Conn != nil {
		io.WriteString(header.Conn, "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nThis port speaks HTTPS: use https:// in the address.\n")
	}
	c.Close()
	m.log.Debug("tls handshake", "remote", c.RemoteAddr().String(), "error", err)
}

// peeked is a stream whose first bytes have been read already.
type peeked struct {
	net.Conn
	first  []byte
	stream *stream
}

func (p *peeked) Close() error {
	p.stream.leave()
	return p.Conn.Close()
}

// NetConn shows what is below, so that TURN can see whether it is TLS.
func (p *peeked) NetConn() net.Conn { return p.Conn }

func (p *peeked) Read(b []byte) (int, error) {
	if len(p.first) > 0 && len(b) > 0 {
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}
