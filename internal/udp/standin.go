//go:build !linux || udp_standin

package udp

// This file stands in where there are no batches: the same types, one datagram at a time. The build tag udp_standin takes it
// on Linux as well, so that it can be tested there.

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"duet/internal/lock"
)

const (
	// SharesPorts: several sockets on one port would not share its datagrams.
	SharesPorts = false
	// Tells: nothing is told of a datagram but who sent it.
	Tells = false
)

var errNoSharing = errors.New("this system does not share a port's datagrams among sockets")

// Sockaddr is where a datagram goes. It is made once and used for many.
type Sockaddr struct{ to netip.AddrPort }

// NewSockaddr spells an address for a socket of the family; what that cannot reach is not valid. From where it is sent the
// system chooses.
func NewSockaddr(to netip.AddrPort, _ netip.Addr, inet6 bool) Sockaddr {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if !inet6 && !to.Addr().Is4() {
		return Sockaddr{}
	}
	return Sockaddr{to}
}

// IsValid says whether it can be sent to.
func (s *Sockaddr) IsValid() bool { return s.to.IsValid() }

// Socket is a UDP socket.
type Socket struct {
	conn  *net.UDPConn
	inet6 bool
	once  sync.Once
	over  chan struct{} // closed with the socket

	mu   lock.Mutex[lock.Leaf] // guards what a Poller's goroutine has read and the loop has not taken yet
	held []byte
	from netip.AddrPort
	took chan struct{}
}

func bind(network, address string, o Options) (*net.UDPConn, error) {
	if o.ReusePort || len(o.Chooser) > 0 {
		return nil, errNoSharing
	}
	pc, err := net.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	conn := pc.(*net.UDPConn)
	if o.Receive > 0 {
		conn.SetReadBuffer(o.Receive)
	}
	if o.Send > 0 {
		conn.SetWriteBuffer(o.Send)
	}
	return conn, nil
}

func take(conn *net.UDPConn, _ Options) (*Socket, error) {
	inet6 := conn.LocalAddr().(*net.UDPAddr).IP.To4() == nil
	return &Socket{conn: conn, inet6: inet6, over: make(chan struct{}), took: make(chan struct{}, 1)}, nil
}

// LocalAddr is what the socket is bound to.
func (s *Socket) LocalAddr() *net.UDPAddr { return s.conn.LocalAddr().(*net.UDPAddr) }

// Sockaddr spells an address for this socket.
func (s *Socket) Sockaddr(to netip.AddrPort, from netip.Addr) Sockaddr {
	return NewSockaddr(to, from, s.inet6)
}

// Send sends one datagram, from any goroutine.
func (s *Socket) Send(b []byte, to *Sockaddr) error {
	_, err := s.conn.WriteToUDPAddrPort(b, to.to)
	return err
}

// SendTo is Send to somebody who gets but this.
func (s *Socket) SendTo(b []byte, to netip.AddrPort) error {
	sa := s.Sockaddr(to, netip.Addr{})
	return s.Send(b, &sa)
}

// Lost is not known here.
func (s *Socket) Lost() uint64 { return 0 }

// Close ends sending and receiving, and says whether it was this call that did.
func (s *Socket) Close() (first bool) {
	s.once.Do(func() {
		first = true
		close(s.over)
		s.conn.Close()
	})
	return first
}

// Leave is called by who has waited, at its end.
func (s *Socket) Leave() { s.Close() }

// Inbox is a loop's memory for datagrams. It belongs to one goroutine. A datagram stays where it lies until Free.
type Inbox struct {
	size, headroom, limit int
	used                  int
	buf                   []byte
	lens                  []int
	from                  []netip.AddrPort
}

// NewInbox has n buffers of so many bytes, of which the first few are left free, and reads at most limit into each.
func NewInbox(n, size, headroom, limit int) *Inbox {
	return &Inbox{
		size: size, headroom: headroom, limit: min(limit, size-headroom),
		buf: make([]byte, n*size), lens: make([]int, n), from: make([]netip.AddrPort, n),
	}
}

// Room is how many buffers are free.
func (in *Inbox) Room() int { return len(in.lens) - in.used }

// Free gives all buffers free.
func (in *Inbox) Free() { in.used = 0 }

// Frame is datagram i behind its free bytes, in memory that it may grow into.
func (in *Inbox) Frame(i int) []byte {
	at := i * in.size
	return in.buf[at : at+in.headroom+in.lens[i] : at+in.size]
}

// Packet is datagram i.
func (in *Inbox) Packet(i int) []byte { return in.Frame(i)[in.headroom:] }

// From is who sent datagram i.
func (in *Inbox) From(i int) netip.AddrPort { return in.from[i] }

// To is not known here.
func (in *Inbox) To(int) netip.Addr { return netip.Addr{} }

// Time is not known here.
func (in *Inbox) Time(int) int64 { return 0 }

// put takes one datagram in.
func (in *Inbox) put(n int, from netip.AddrPort) {
	in.lens[in.used], in.from[in.used] = n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	in.used++
}

func (in *Inbox) free() []byte {
	at := in.used*in.size + in.headroom
	return in.buf[at : at+in.limit]
}

// Receive takes the datagram that a Poller has seen.
func (s *Socket) Receive(in *Inbox, n int) (first, count int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil || n == 0 || in.Room() == 0 {
		return in.used, 0, errors.New("there is nothing")
	}
	first = in.used
	in.put(copy(in.free(), s.held), s.from)
	s.held = nil
	s.took <- struct{}{}
	return first, 1, nil
}

// Wait frees the inbox and waits for a datagram. The error is net.ErrClosed when the socket was closed.
func (s *Socket) Wait(in *Inbox) (int, error) {
	in.Free()
	n, from, err := s.conn.ReadFromUDPAddrPort(in.free())
	if errors.Is(err, net.ErrClosed) {
		return 0, net.ErrClosed
	}
	if err != nil {
		return 0, err
	}
	in.put(n, from)
	return 1, nil
}

// Outbox sends at once. It belongs to one goroutine.
type Outbox struct {
	s              *Socket
	lost           func(error, int)
	packets, bytes int
}

// NewOutbox makes one; lost is told of what could not be sent, and why.
func NewOutbox(s *Socket, _ int, _ bool, lost func(err error, datagrams int)) *Outbox {
	return &Outbox{s: s, lost: lost}
}

// Add sends a datagram.
func (o *Outbox) Add(to *Sockaddr, b []byte) {
	if err := o.s.Send(b, to); err != nil {
		o.lost(err, 1)
		return
	}
	o.packets++
	o.bytes += len(b)
}

// AddTo is Add to somebody who gets but this.
func (o *Outbox) AddTo(to netip.AddrPort, b []byte) {
	sa := o.s.Sockaddr(to, netip.Addr{})
	o.Add(&sa, b)
}

// Discard forgets what is queued, which is nothing.
func (o *Outbox) Discard() { o.packets, o.bytes = 0, 0 }

// Flush says what went out since last time.
func (o *Outbox) Flush() (packets, bytes int) {
	packets, bytes = o.packets, o.bytes
	o.packets, o.bytes = 0, 0
	return packets, bytes
}

// Poller waits for many sockets. T is what the owner calls a socket by.
type Poller[T any] struct {
	ready chan T
	over  chan struct{} // closed by Close

	mu      lock.Mutex[lock.Leaf] // guards what follows
	sockets map[*Socket]T
	closed  bool
}

// NewPoller waits for nothing yet.
func NewPoller[T any]() (*Poller[T], error) {
	return &Poller[T]{ready: make(chan T), over: make(chan struct{}), sockets: map[*Socket]T{}}, nil
}

// Add waits for a socket, too, on a goroutine that ends with the socket.
func (p *Poller[T]) Add(s *Socket, name T) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	p.sockets[s] = name
	go p.read(s, name)
	return nil
}

func (p *Poller[T]) read(s *Socket, name T) {
	for buf := make([]byte, 64<<10); ; {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(time.Millisecond) // an error that may pass; do not spin on it
			continue
		}
		s.mu.Lock()
		s.held, s.from = buf[:n], from
		s.mu.Unlock()
		select {
		case p.ready <- name:
		case <-s.over:
			return
		}
		select {
		case <-s.took:
		case <-s.over:
			return
		}
	}
}

// Remove forgets a socket. It must be called before the socket is closed.
func (p *Poller[T]) Remove(s *Socket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sockets, s)
}

// All are the names of the sockets.
func (p *Poller[T]) All() []T {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]T, 0, len(p.sockets))
	for _, name := range p.sockets {
		all = append(all, name)
	}
	return all
}

// Wait waits until a socket has something, and appends its name to ready; what it has is to be received. Only one goroutine
// may wait. The error is net.ErrClosed after Close.
func (p *Poller[T]) Wait(ready []T) ([]T, error) {
	select {
	case name := <-p.ready:
		return append(ready, name), nil
	case <-p.over:
		return ready, net.ErrClosed
	}
}

// WaitReadable just waits.
func WaitReadable(timeout time.Duration, _ ...*Socket) { time.Sleep(timeout) }

// Close ends waiting. The sockets stay open.
func (p *Poller[T]) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		close(p.over)
	}
}

// KeepUnsent does nothing: the system has a bound of its own.
func KeepUnsent(*net.TCPConn, int) {}
