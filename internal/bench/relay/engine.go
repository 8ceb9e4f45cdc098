package relay

// This file holds the clients, and the measurement from their calls' set-up to its result.

import (
	"context"
	crand "crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	"github.com/pion/srtp/v3"
	"golang.org/x/sync/errgroup"

	"duet/internal/bench"
	"duet/internal/lock"
)

const (
	checkEvery   = 50 * time.Millisecond // until the first answer
	consentEvery = 2 * time.Second       // afterwards (RFC 7675)
)

type engine struct {
	o           Options
	process     bench.Process
	cert        tls.Certificate
	fingerprint string
	sockets     []*bench.Socket // one for all clients, or one for each
	peers       []*peer         // a call's two are neighbours
	byAddr      map[netip.Addr]*peer
	flows       []*flow // as the pacer numbers them
	pacer       *bench.Pacer
	ready       []atomic.Bool // calls
	loading     bool          // everybody sends, not only the calls that are being set up
	finish      func()        // ends what the calls' signaling has in common; nil: nothing

	mu       lock.Mutex[lock.Room]
	closed   bool
	from, to int64 // the measured span, by the clock of the stamps
	r        *result
	reportAt []time.Time // each peer's next report and feedback
	fbAt     []time.Time
	sealed   []byte
	opened   []byte
}

func newEngine(o Options, process bench.Process) (*engine, error) {
	cert, err := selfsign.GenerateSelfSigned()
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	local, err := clientAddr(o)
	if err != nil {
		return nil, err
	}
	e := &engine{
		o: o, process: process, cert: cert, fingerprint: fingerprintOfCert(cert), byAddr: map[netip.Addr]*peer{},
		ready: make([]atomic.Bool, o.Calls), sealed: make([]byte, 0, 2048), opened: make([]byte, 0, 2048),
	}
	rng := rand.New(rand.NewPCG(uint64(o.Calls), 1))
	now := time.Now()
	for i := range 2 * o.Calls {
		if i == 0 || local.IsValid() {
			at := local
			if !at.IsValid() {
				at = netip.IPv4Unspecified()
			}
			socket, err := bench.ListenUDP(netip.AddrPortFrom(at, 0))
			if err != nil {
				e.close()
				return nil, err
			}
			e.sockets = append(e.sockets, socket)
		}
		p := e.newPeer(i, local)
		e.peers = append(e.peers, p)
		if !local.IsValid() {
			e.byAddr[p.addr] = p
		}
		e.reportAt = append(e.reportAt, now.Add(time.Duration(rng.Int64N(int64(reportEvery)))))
		e.fbAt = append(e.fbAt, now.Add(time.Duration(rng.Int64N(int64(feedbackEvery)))))
	}
	e.flows = make([]*flow, 2*len(e.peers))
	e.pacer = bench.NewPacer(bench.Call(), len(e.peers), rng)
	return e, nil
}

func (e *engine) close() {
	for _, p := range e.peers {
		p.pipe.Close()
		if p.conn != nil {
			_ = p.conn.Close() // says goodbye to a server that is gone already
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for _, s := range e.sockets {
		s.Close()
	}
}

// clientAddr is where the clients are. With a server on loopback they share one socket and have addresses of their own,
// 127.x.y.z, which the zero Addr stands for. Else each has a socket at the address from which this machine reaches the
// server. Janus never uses loopback: there it is the address of an interface.
func clientAddr(o Options) (netip.Addr, error) {
	if o.Via == "direct" {
		if o.Apart {
			return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
		}
		return netip.Addr{}, nil
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("url: %w", err)
	}
	c, err := net.Dial("udp4", net.JoinHostPort(u.Hostname(), "9"))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%q: %w", o.URL, err)
	}
	defer c.Close()
	at := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	if !at.IsLoopback() || o.Apart && o.Via != "janus" {
		return at, nil
	}
	if o.Via != "janus" {
		return netip.Addr{}, nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("addresses of this machine: %w", err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return netip.AddrFrom4([4]byte(n.IP.To4())), nil
		}
	}
	return netip.Addr{}, errors.New("no client address: Janus does not use loopback, and this machine has no other IPv4 address")
}

// lost is what the generator's own sockets lost.
func (e *engine) lost() (n uint64) {
	for _, s := range e.sockets {
		n += s.Lost()
	}
	return n
}

func (e *engine) flush() {
	for _, s := range e.sockets {
		s.Flush()
	}
}

// run is a whole measurement.
func (e *engine) run(ctx context.Context, r *result) error {
	e.r = r
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var calls []signaling
	done := make(chan error, 1)
	watch := bench.StartWatch(e.process)
	e.pacer.Start(time.Now())
	go func() {
		var err error
		calls, err = e.setUp(ctx)
		done <- err
	}()
	err, ended := error(nil), false
	loopErr := e.loop(ctx, time.Time{}, func() bool {
		select {
		case err = <-done:
			ended = true
		default:
		}
		return ended
	})
	if !ended {
		cancel()
		err = <-done
	}
	defer func() {
		for _, c := range calls {
			c.hangUp()
		}
		if e.finish != nil {
			e.finish()
		}
	}()
	if err = errors.Join(loopErr, err); err != nil {
		return err
	}
	r.setup = watch.Stop()
	r.connected = e.process.RSS()

	e.loading = true
	if err := e.loop(ctx, time.Now().Add(e.o.Warmup), nil); err != nil {
		return err
	}
	e.pacer.Reset()
	lost := e.lost()
	end := time.Now().Add(e.o.Duration)
	e.from, e.to = time.Now().UnixNano(), end.UnixNano()+int64(time.Second)
	watch = bench.StartWatch(e.process)
	if err := e.loop(ctx, end, nil); err != nil {
		return err
	}
	r.usage = watch.Stop()
	r.loaded = e.process.RSS()
	e.loading = false
	// What is still under way. Nothing is sent meanwhile but checks.
	r.late, r.skipped = e.pacer.Late, e.pacer.Skipped
	if err := e.loop(ctx, time.Now().Add(500*time.Millisecond), func() bool { return r.delivered >= r.sent }); err != nil {
		return err
	}
	r.ownLoss = e.lost() - lost
	r.profile = e.peers[0].profile
	r.twcc = e.peers[0].twccID != 0
	return nil
}

// setUp connects all calls, some at a time.
func (e *engine) setUp(ctx context.Context) ([]signaling, error) {
	calls := make([]signaling, e.o.Calls)
	dial := func(ctx context.Context, i int) (signaling, error) { return dialDuet(ctx, e.o.URL, i) }
	switch e.o.Via {
	case "direct":
		dial = func(context.Context, int) (signaling, error) { return direct{}, nil }
	case "janus":
		once, cancel := context.WithTimeout(ctx, setupTime)
		j, err := dialJanus(once, e.o.URL)
		cancel()
		if err != nil {
			return nil, err
		}
		e.finish = j.close
		dial = j.call
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(e.o.Setups)
	for i := range calls {
		a, b := e.peers[2*i], e.peers[2*i+1]
		g.Go(func() error {
			if gctx.Err() != nil {
				return nil // another call has failed
			}
			one, cancel := context.WithTimeout(gctx, setupTime)
			defer cancel()
			s, err := dial(one, i)
			if err != nil {
				return fmt.Errorf("call %d: %w", i, err)
			}
			calls[i] = s
			if err := e.connect(one, s, a, b); err != nil {
				return fmt.Errorf("call %d: %w", i, err)
			}
			e.ready[i].Store(true)
			return nil
		})
	}
	err := g.Wait()
	var open []signaling
	for _, c := range calls {
		if c != nil {
			open = append(open, c)
		}
	}
	return open, err
}

// connect brings a call to where it carries media.
func (e *engine) connect(ctx context.Context, s signaling, a, b *peer) error {
	if err := s.connect(ctx, a, b); err != nil {
		return err
	}
	if e.o.Via != "direct" {
		g, gctx := errgroup.WithContext(ctx)
		for _, p := range []*peer{a, b} {
			g.Go(func() error { return p.secure(gctx, p.dtlsClient) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	e.mu.Lock()
	for k, kind := range bench.Call() {
		for _, p := range []*peer{a, b} {
			f := newFlow(p, k, kind.Bytes)
			f.to = e.peers[p.index^1]
			p.flows[k] = f
			e.flows[k*len(e.peers)+p.index] = f
		}
	}
	e.mu.Unlock()
	return s.carries(ctx)
}

// direct is the way without a server: the two know each other and share a key.
type direct struct{}

func (direct) connect(_ context.Context, a, b *peer) error {
	keys := srtp.Config{Profile: srtp.ProtectionProfileAeadAes128Gcm}
	secret := make([]byte, 2*(16+12))
	crand.Read(secret)
	k := &keys.Keys
	k.LocalMasterKey, k.LocalMasterSalt, k.RemoteMasterKey, k.RemoteMasterSalt = secret[:16], secret[16:28], secret[28:44], secret[44:]
	if err := errors.Join(a.meet(b.text("active"), true), b.meet(a.text("passive"), false)); err != nil {
		return err
	}
	a.e.mu.Lock()
	defer a.e.mu.Unlock()
	if err := a.keys(keys); err != nil {
		return err
	}
	k.LocalMasterKey, k.LocalMasterSalt, k.RemoteMasterKey, k.RemoteMasterSalt = secret[28:44], secret[44:], secret[:16], secret[16:28]
	return b.keys(keys)
}

func (direct) carries(context.Context) error { return nil }
func (direct) hangUp()                       {}
