package turn

// This file is UDP on Linux: for each listening socket one loop that owns it and the relay sockets of its allocations.
// ChannelData goes from socket to socket within the loop, in batches; everything else is handed to the gate.

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"duet/internal/udpbuf"
)

const (
	batch      = 64   // datagrams taken from the listening socket at once
	arena      = 192  // buffers of a loop
	relayBatch = 8    // datagrams taken from a relay socket at once
	bufferSize = 2048 // of which four bytes are room for a header
	waiting    = 512  // requests that may wait for the gate

	socketBuffer = 4 << 20
	// A peer sends a key frame, or what a data channel's window allows, at once. The system's own size keeps 92 packets.
	relayBuffer = 1 << 20

	// A goroutine that never yields is taken by the runtime for one that hogs its processor, even while it waits in a
	// system call: after 10 ms its monitor takes the processor away, and then looks every 20 µs what it does next, which
	// costs 15 % of the whole server under load. So the loop yields more often than that; and when it has nothing at hand,
	// because the runtime wakes another thread each time, and often goes on with the loop there.
	yieldEvery = 9 * time.Millisecond
)

// loop implements udpListener and emitter.
type loop struct {
	server  *Server
	fd      int
	family  int
	addr    *net.UDPAddr
	wild    bool // the socket has all addresses of this machine, so each client's must be kept
	epoll   int
	event   int // an eventfd: the loop is to end
	gate    *gate
	control chan *packet
	done    chan struct{} // closed when the link is over

	traffic traffic

	// the loop's own
	flows map[netip.AddrPort]*allocation // known clients; checked, and swept now and then
	swept int64
	in    *inbox
	out   *outbox
	ready []*epollSocket
	now   int64

	mu      sync.RWMutex // a leaf; guards what follows, and fd while it is used outside the loop
	sockets map[int32]*epollSocket
	lost    uint64 // by the kernel, on relay sockets that are closed
	closed  bool
	serving bool
}

// inbox is the loop's memory for datagrams; a buffer is in use until the outbox has been flushed.
type inbox struct {
	msgs [arena]mmsghdr
	iovs [arena]unix.Iovec
	from [arena]sockaddr
	ctrl [arena]control
	buf  [arena][bufferSize]byte
	used int
}

func listenUDP(s *Server, address string) (out []udpListener, err error) {
	n := s.cfg.Listeners
	if n == 0 {
		n = max(1, runtime.GOMAXPROCS(0)/2)
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
		fd, _, local, err := openUDP("udp", address, false, 0, 0)
		if err != nil {
			return nil, err
		}
		unix.Close(fd)
		if host, port, _ := net.SplitHostPort(address); port == "0" {
			address = net.JoinHostPort(host, fmt.Sprint(local.Port))
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
	fd, family, local, err := openUDP("udp", address, share, socketBuffer, socketBuffer)
	if err != nil {
		return nil, err
	}
	l := &loop{
		server: s, fd: fd, family: family, addr: local, wild: local.IP.IsUnspecified(), epoll: -1, event: -1,
		control: make(chan *packet, waiting), done: make(chan struct{}),
		flows: map[netip.AddrPort]*allocation{}, sockets: map[int32]*epollSocket{},
		in: new(inbox), out: newOutbox(fd, s.stats),
	}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err == nil {
		l.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	}
	if err == nil && l.wild {
		err = wantLocal(fd, family)
	}
	for _, fd := range []int{l.fd, l.event} {
		if err == nil {
			err = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
		}
	}
	if err != nil {
		l.release()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	for i := range l.in.msgs {
		l.in.iovs[i].Base = &l.in.buf[i][4]
		l.in.iovs[i].SetLen(bufferSize - 4)
		h := &l.in.msgs[i].hdr
		h.Iov, h.Name = &l.in.iovs[i], (*byte)(unsafe.Pointer(&l.in.from[i].raw))
		h.SetIovlen(1)
		h.Control = (*byte)(unsafe.Pointer(&l.in.ctrl[i]))
		l.in.msgs[i].reset()
	}
	return l, nil
}

func (l *loop) serve(f *gate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gate, l.serving = f, true
	l.server.running.Go(l.run)
}

// run is the loop.
func (l *loop) run() {
	events := make([]unix.EpollEvent, 128)
	yielded := int64(0)
	for {
		if l.now-yielded > int64(yieldEvery) {
			yielded = l.now
			runtime.Gosched()
		}
		n, err := unix.EpollWait(l.epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			l.server.log.Error("turn cannot wait for datagrams", "error", err)
			n = 0
			time.Sleep(100 * time.Millisecond)
		}
		l.now = l.server.clock()
		listening := false
		l.ready = l.ready[:0]
		l.mu.RLock()
		closed := l.closed
		for _, e := range events[:max(n, 0)] {
			if e.Fd == int32(l.fd) {
				listening = true
			} else if s := l.sockets[e.Fd]; s != nil {
				l.ready = append(l.ready, s)
			}
		}
		l.mu.RUnlock()
		if closed {
			l.release()
			return
		}
		for _, s := range l.ready {
			l.readRelay(s)
		}
		if listening {
			l.out.flush() // what peers have sent need not wait for what clients have
			l.readClients()
		}
		l.flush()
		l.sweep()
	}
}

// room makes sure that n buffers are free and gives them.
func (l *loop) room(n int) []mmsghdr {
	if l.in.used+n > arena {
		l.flush()
	}
	return l.in.msgs[l.in.used : l.in.used+n]
}

// readClients takes what has come to the listening socket.
func (l *loop) readClients() {
	msgs := l.room(batch)
	first := l.in.used
	n, err := recvmmsg(l.fd, msgs)
	if err != nil {
		return
	}
	l.in.used += n
	for i := first; i < first+n; i++ {
		b := l.in.buf[i][4 : 4+min(int(l.in.msgs[i].len), bufferSize-4)]
		from := l.in.from[i].addrPort()
		if len(b) < 4 || !from.IsValid() {
			l.server.stats.drop(dropShort)
			continue
		}
		if !isChannel(b[0]) {
			l.toGate(b, route{from, l.localOf(i)})
			continue
		}
		number, size := channelHeader(b)
		switch a := l.flow(from); {
		case !validChannel(number) || 4+size > len(b) || len(b) > 4+size+3:
			l.server.stats.drop(dropLength)
		case a == nil:
			l.server.stats.drop(dropUnknownChannel)
		default:
			l.server.forward(a, b, l.now, l)
		}
	}
}

// localOf is the address that datagram number i was sent to.
func (l *loop) localOf(i int) netip.Addr {
	if !l.wild || l.in.msgs[i].hdr.Controllen == 0 {
		return netip.Addr{}
	}
	return l.in.ctrl[i].local()
}

// toGate hands a datagram to the library's read loop.
func (l *loop) toGate(b []byte, from route) {
	if len(b) > maxFrame {
		l.server.stats.drop(dropOversize)
		return
	}
	p := packets.Get().(*packet)
	p.n, p.from, p.to = copy(p.buf[:], b), from.client, from.local
	select {
	case l.control <- p:
	default:
		packets.Put(p)
		l.server.stats.drop(dropQueueFull)
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
	if to.sockaddr.len == 0 {
		to.gate.transport.write(frame, to.route())
		return
	}
	l.out.add(to, frame)
}

func (l *loop) counts() *traffic { return &l.traffic }

// flush sends what is queued and frees all buffers.
func (l *loop) flush() {
	l.out.flush()
	for i := range l.in.used {
		l.in.msgs[i].reset()
	}
	l.in.used = 0
}

// read gives the gate what is not ChannelData.
func (l *loop) read(b []byte) (int, route, error) {
	select {
	case p := <-l.control:
		if p == nil {
			return 0, route{}, nil
		}
		n, from := copy(b, p.buf[:p.n]), route{p.from, p.to}
		packets.Put(p)
		return n, from, nil
	case <-l.done:
		return 0, route{}, net.ErrClosed
	}
}

// wake need not wait when the queue is full: then the gate is not waiting either.
func (l *loop) wake() {
	select {
	case l.control <- nil:
	default:
	}
}

// write sends at once, from whatever goroutine.
func (l *loop) write(b []byte, to route) {
	addr := l.sockaddr(to)
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return
	}
	if err := sendmsg(l.fd, b, &addr); err != nil {
		l.server.stats.lose(err)
	}
}

func (l *loop) sockaddr(to route) sockaddr {
	addr := makeSockaddr(to.client, l.family)
	if l.wild && to.local.IsValid() {
		addr.control = makeControl(to.local, l.family)
	}
	return addr
}

func (l *loop) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	close(l.done)
	if !l.serving {
		l.release()
		return nil
	}
	unix.Write(l.event, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	return nil
}

func (l *loop) release() {
	for _, fd := range []int{l.fd, l.epoll, l.event} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

func (l *loop) drops() uint64 {
	sum, open := l.dropped()
	for _, e := range open {
		sum += e.drops()
	}
	return sum
}

// dropped is what the listening socket and those that are closed have lost, and the others: to ask thousands of them takes
// a millisecond, for which the loop must not wait.
func (l *loop) dropped() (uint64, []*epollSocket) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return 0, nil
	}
	return l.lost + udpbuf.Lost(l.fd), slices.Collect(maps.Values(l.sockets))
}

func (l *loop) local() net.Addr  { return l.addr }
func (l *loop) datagrams() bool  { return true }
func (l *loop) allocated(bool)   {}
func (l *loop) protocol() string { return "udp" }
