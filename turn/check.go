package turn

// This file tries a TURN server as a browser would, and says what does not work and what to do about it.

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"
)

// CheckOptions says what to try.
type CheckOptions struct {
	URLs               []string // as browsers get them: stun:, turn: and turns:
	Username, Password string
	Insecure           bool          // accept any certificate, such as a self-signed one
	Timeout            time.Duration // for each URL; 0: 5 s
}

// CheckResult is what came of one URL.
type CheckResult struct {
	URL     string
	Err     error          // nil: it works
	Advice  string         // what to look at when it does not, or although it does; may be empty
	Mapped  netip.AddrPort // this machine as the server sees it
	Relayed netip.AddrPort // the address that the server gave; invalid for stun:
	RTT     time.Duration  // of a packet through two allocations; for stun: of the request
}

// Check tries every URL, one after another. It allocates twice and sends a packet from one to the other.
func Check(ctx context.Context, o CheckOptions) []CheckResult {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	results := make([]CheckResult, len(o.URLs))
	for i, url := range o.URLs {
		results[i] = checkOne(ctx, url, o)
	}
	return results
}

func checkOne(ctx context.Context, url string, o CheckOptions) CheckResult {
	r := CheckResult{URL: url}
	target, err := parseURL(url)
	if err != nil {
		r.Err = err
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	if r.Err = target.check(ctx, o, &r); r.Err != nil {
		r.Advice = target.advice(r.Err)
	} else if r.Relayed.IsValid() && !r.Relayed.Addr().IsLoopback() && r.Relayed.Addr().IsPrivate() {
		r.Advice = fmt.Sprintf("%s is a private address: peers outside cannot reach it; set turn.public_ip", r.Relayed.Addr())
	}
	return r
}

// target is one URL taken apart.
type target struct {
	scheme, transport string // stun, turn or turns; udp, tcp or tls
	address           string
	host              string
}

func parseURL(url string) (t target, err error) {
	scheme, rest, ok := strings.Cut(url, ":")
	rest, query, _ := strings.Cut(rest, "?")
	port := "3478"
	t.scheme, t.transport = scheme, "udp"
	switch {
	case !ok || rest == "" || scheme != "stun" && scheme != "turn" && scheme != "turns":
		return t, fmt.Errorf("%q is not a stun:, turn: or turns: URL", url)
	case scheme == "turns":
		t.transport, port = "tls", "5349"
	case query == "transport=tcp":
		t.transport = "tcp"
	}
	t.host = rest
	if host, p, err := net.SplitHostPort(rest); err == nil {
		t.host, port = host, p
	}
	t.host = strings.Trim(t.host, "[]")
	t.address = net.JoinHostPort(t.host, port)
	return t, nil
}

// dial opens what the library's client talks through.
func (t target) dial(ctx context.Context, insecure bool) (net.PacketConn, net.Addr, error) {
	if t.transport == "udp" {
		server, err := new(net.Resolver).LookupNetIP(ctx, "ip", t.host)
		if err != nil {
			return nil, nil, err
		}
		_, port, _ := net.SplitHostPort(t.address)
		to, err := net.ResolveUDPAddr("udp", net.JoinHostPort(canonical(server[0]).String(), port))
		if err != nil {
			return nil, nil, err
		}
		conn, err := net.ListenPacket("udp", ":0")
		return conn, to, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", t.address)
	if err != nil {
		return nil, nil, err
	}
	to := conn.RemoteAddr()
	if t.transport == "tls" {
		secure := tls.Client(conn, &tls.Config{ServerName: t.host, InsecureSkipVerify: insecure})
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, nil, err
		}
		conn = secure
	}
	return newSTUNConn(conn), to, nil
}

func (t target) check(ctx context.Context, o CheckOptions, r *CheckResult) error {
	first, end, err := t.client(ctx, o)
	if err != nil {
		return err
	}
	defer end()
	begin := time.Now()
	mapped, err := first.SendBindingRequest()
	if err != nil {
		return cause(ctx, "ask for the own address", err)
	}
	r.Mapped, _ = netip.ParseAddrPort(mapped.String())
	if r.RTT = time.Since(begin); t.scheme == "stun" {
		return nil
	}
	second, end, err := t.client(ctx, o)
	if err != nil {
		return err
	}
	defer end()
	var relays [2]net.PacketConn
	for i, c := range []allocator{first, second} {
		if relays[i], err = c.Allocate(); err != nil {
			return cause(ctx, "allocate", err)
		}
		defer relays[i].Close()
	}
	r.Relayed, _ = netip.ParseAddrPort(relays[0].LocalAddr().String())
	return exchange(ctx, relays, r)
}

// exchange sends a packet from one allocation to the other; the first ones may be lost while permissions are made.
func exchange(ctx context.Context, relays [2]net.PacketConn, r *CheckResult) error {
	token := make([]byte, 16)
	rand.Read(token) // never fails
	if _, err := relays[1].WriteTo([]byte("open"), relays[0].LocalAddr()); err != nil {
		return cause(ctx, "permit the own relayed address", err)
	}
	b := make([]byte, 1600)
	for try := 0; ; try++ {
		begin := time.Now()
		if _, err := relays[0].WriteTo([]byte(hex.EncodeToString(token)), relays[1].LocalAddr()); err != nil {
			return cause(ctx, "send to the own relayed address", err)
		}
		for {
			relays[1].SetReadDeadline(time.Now().Add(500 * time.Millisecond))
			n, _, err := relays[1].ReadFrom(b)
			if err != nil {
				if ctx.Err() != nil || try == 8 {
					return cause(ctx, "receive through the relay what was sent through it", err)
				}
				break
			}
			if string(b[:n]) == hex.EncodeToString(token) {
				r.RTT = time.Since(begin)
				return nil
			}
		}
	}
}

// cause says what was tried; that time is up explains more than the closed connection which it leads to.
func cause(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fmt.Errorf("%s: %w", what, answered(err))
}

// advice says what an operator should look at.
func (t target) advice(err error) string {
	kind := map[string]string{"udp": "UDP", "tcp": "TCP", "tls": "TCP"}[t.transport]
	_, port, _ := net.SplitHostPort(t.address)
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var refused errorResponse
	errors.As(err, &refused)
	switch {
	case errors.As(err, &dns):
		return fmt.Sprintf("the name %s does not lead to an address: add it to DNS", t.host)
	case errors.As(err, &certificate):
		return "browsers will not trust this certificate: use one that is signed for " + t.host
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing listens on %s port %s there: is the server running, and is turn.listen that port?", kind, port)
	case refused.code == codeUnauthorized:
		return "the credential is refused: is turn.secret the same here and there, and are both clocks right?"
	case refused.code == codeForbidden:
		return "the server refuses its own relayed address as a peer: turn.permissions, or another server's deny list"
	case refused.code == codeQuota || refused.code == codeCapacity:
		return "the server has no room: turn.user_allocations, turn.total_allocations, turn.relay_ports"
	case refused.code == 0 && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || unanswered(err)):
		return fmt.Sprintf("no answer: open %s port %s in the firewall and, behind NAT, forward it", kind, port)
	}
	return ""
}
