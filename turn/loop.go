package turn

// This file is UDP: for each listening socket one loop that owns it and the relay sockets of its allocations. Payloads
// go from socket to socket within the loop, in batches; everything else is handed to the gate.

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"duet/internal/lock"
	"duet/internal/udp"
)

const (
	batch      = 64   // datagrams taken from the listening socket at once
	arena      = 192  // buffers of a loop
	relayBatch = 8    // datagrams taken from a relay socket at once
	bufferSize = 2048 // of which the headroom is kept free, and the tailroom

	socketBuffer = 4 << 20
	// A peer sends a key frame, or what a data channel's window allows, at once. The system's own size keeps 92 packets.
	relayBuffer = 1 << 20
)

// loop implements udpListener and emitter.
type loop struct {
	server *Server
	sock   *udp.Socket
	poller *udp.Poller[*loopSocket] // of the listening socket, which is nil to it, and of the relay sockets
	gate   *gate
	queue  *gateQueue

	traffic traffic
	lost    atomic.Uint64 // by the kernel, on relay sockets that are closed

	// the loop's own
	flows map[netip.AddrPort]*allocation // known clients; checked, and swept now and then
	swept int64
	in    *udp.Inbox // a buffer is in use until the outbox has been flushed
	out   *udp.Outbox
	ready []*loopSocket
	now   int64

	mu      lock.Mutex[lock.Leg] // guards what follows, and is held while the loop is closed
	closed  bool
	serving bool
}

func listenUDP(s *Server, address string) (out []udpListener, err error) {
	n := s.cfg.Listeners
	if n == 0 {
		n = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if !udp.SharesPorts {
		n = 1
	}
	defer func() {
		if err != nil {
			for _, l := range out {
				l.close()
			}
		}
	}()
	share := n > 1 || s.shared
	if share { // which hides that another program has the port: try without first
		conn, err := udp.Bind("udp", address, udp.Options{})
		if err != nil {
			return nil, err
		}
		conn.Close()
		if host, port, _ := net.SplitHostPort(address); port == "0" {
			address = net.JoinHostPort(host, fmt.Sprint(conn.LocalAddr().(*net.UDPAddr).Port))
		}
	}
	for range n {
		l, err := newLoop(s, address, share)
		if err != nil {
			return out, err
		}
		out = append(out, l)
	}
	return out, nil
}

func newLoop(s *Server, address string, share bool) (*loop, error) {
	sock, err := udp.Listen("udp", address, udp.Options{ReusePort: share, Receive: socketBuffer, Send: socketBuffer, Local: true})
	if err != nil {
		return nil, err
	}
	poller, err := udp.NewPoller[*loopSocket]()
	if err == nil {
		if err = poller.Add(sock, nil); err != nil {
			poller.Close()
		}
	}
	if err != nil {
		sock.Close()
		return nil, err
	}
	return &loop{
		server: s, sock: sock, poller: poller,
		queue: newGateQueue(),
		flows: map[netip.AddrPort]*allocation{},
		in:    udp.NewInbox(arena, bufferSize, headroom, bufferSize-headroom-tailroom),
		out: udp.NewOutbox(sock, arena, true, func(err error, datagrams int) {
			for range datagrams {
				s.stats.lose(err)
			}
		}),
	}, nil
}

func (l *loop) serve(g *gate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gate, l.serving = g, true
	l.server.running.Go(l.run)
}

// run is the loop.
func (l *loop) run() {
	defer l.sock.Close()
	var yields udp.Yielder
	for {
		yields.Yield(time.Duration(l.now))
		ready, err := l.poller.Wait(l.ready[:0])
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			l.server.log.Error("turn cannot wait for datagrams", "error", err)
			time.Sleep(100 * time.Millisecond)
		}
		l.ready, l.now = ready, l.server.clock()
		listening := false
		for _, s := range ready {
			if s == nil {
				listening = true
			} else {
				l.readRelay(s)
			}
		}
		if listening {
			l.out.Flush() // what peers have sent need not wait for what clients have
			l.readClients()
		}
		l.flush()
		l.sweep()
	}
}

// reserve makes sure that n buffers are free.
func (l *loop) reserve(n int) {
	if l.in.Room() < n {
		l.flush()
	}
}

// readClients takes what has come to the listening socket.
func (l *loop) readClients() {
	l.reserve(batch)
	first, n, err := l.sock.Receive(l.in, batch)
	if err != nil {
		return
	}
	for i := first; i < first+n; i++ {
		buf, from := l.in.Frame(i), l.in.From(i)
		if len(buf) < headroom+4 || !from.IsValid() {
			l.server.stats.drop(dropShort)
			continue
		}
		l.fromClient(buf, route{from, l.in.To(i)})
	}
}

// fromClient forwards one message, or hands it to the gate.
func (l *loop) fromClient(buf []byte, from route) {
	b := buf[headroom:]
	payload := isChannel(b[0]) || isSend(b)
	if payload && !l.queue.mustWait(from.client) {
		how, _ := l.server.fromClient(l.flow(from.client), buf, l.now, l)
		if how == tooEarly && !l.queue.mayHelp(from.client) {
			// What has helped may just have been done.
			var reason drop
			how, reason = l.server.fromClient(l.flow(from.client), buf, l.now, l)
			if how == tooEarly {
				l.server.stats.drop(reason)
				return
			}
		}
		if how == handled {
			return
		}
	}
	if reason := l.queue.put(b, from, payload); reason != passed {
		l.server.stats.drop(reason)
	}
}

// flow finds a client's allocation without a lock, but for the first time.
func (l *loop) flow(from netip.AddrPort) *allocation {
	if a := l.flows[from]; a != nil {
		if !a.over.Load() {
			return a
		}
		delete(l.flows, from)
	}
	a := l.gate.lookup(from)
	if a != nil && !a.over.Load() {
		l.flows[from] = a
	}
	return a
}

// sweep forgets the allocations that have ended; flow forgets only those that still send.
func (l *loop) sweep() {
	if l.now-l.swept < int64(10*time.Second) {
		return
	}
	l.swept = l.now
	for from, a := range l.flows {
		if a.over.Load() {
			delete(l.flows, from)
		}
	}
}

// emit queues a frame for a client; those of streams have queues of their own.
func (l *loop) emit(to *allocation, frame []byte) {
	if !to.sockaddr.IsValid() {
		to.gate.transport.write(frame, to.route())
		return
	}
	l.out.Add(&to.sockaddr, frame)
}

func (l *loop) counts() *traffic { return &l.traffic }

// flush sends what is queued and frees all buffers.
func (l *loop) flush() {
	l.out.Flush()
	l.in.Free()
}

func (l *loop) read(b []byte) (int, route, error) { return l.queue.take(b) }
func (l *loop) wake()                             { l.queue.wake() }

// write sends at once, from whatever goroutine.
func (l *loop) write(b []byte, to route) {
	addr := l.sockaddr(to)
	if err := l.sock.Send(b, &addr); err != nil && !errors.Is(err, net.ErrClosed) {
		l.server.stats.lose(err)
	}
}

func (l *loop) sockaddr(to route) udp.Sockaddr { return l.sock.Sockaddr(to.client, to.local) }

func (l *loop) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	close(l.queue.over)
	l.poller.Close()
	if !l.serving {
		l.sock.Close()
	}
	return nil
}

func (l *loop) drops() uint64 {
	sum := l.lost.Load()
	for _, e := range l.poller.All() {
		if e == nil {
			sum += l.sock.Lost()
		} else {
			sum += e.drops()
		}
	}
	return sum
}

func (l *loop) local() net.Addr  { return l.sock.LocalAddr() }
func (l *loop) datagrams() bool  { return true }
func (l *loop) allocated(bool)   {}
func (l *loop) protocol() string { return "udp" }
