package bench

// This file stands for many clients with one socket: on loopback every address 127.x.y.z is this machine, and the source of
// a datagram can be chosen for each one.

import (
	"errors"
	"net/netip"
	"syscall"
	"time"

	"duet/internal/udp"
)

const (
	batch      = 64
	packetSize = 1536
)

var errLinux = errors.New("the measuring tools need Linux")

// Socket is a UDP socket with batches. It belongs to one goroutine.
type Socket struct {
	sock   *udp.Socket
	local  netip.AddrPort
	in     *udp.Inbox
	out    *udp.Outbox
	data   [batch][packetSize]byte // of what is queued
	queued int
	failed uint64 // datagrams that the kernel refused
}

// ListenUDP opens a socket on local; port 0 lets the system choose.
func ListenUDP(local netip.AddrPort) (*Socket, error) {
	if !udp.Tells {
		return nil, errLinux
	}
	network := "udp4"
	if !local.Addr().Is4() {
		network = "udp6"
	}
	sock, err := udp.Listen(network, local.String(), udp.Options{Receive: 16 << 20, Send: 16 << 20, Local: true, Times: true})
	if err != nil {
		return nil, err
	}
	s := &Socket{sock: sock, local: sock.LocalAddr().AddrPort(), in: udp.NewInbox(batch, packetSize, 0, packetSize)}
	if local.Addr().Is4() {
		s.local = netip.AddrPortFrom(s.local.Addr().Unmap(), s.local.Port())
	}
	// Not in segments: clients send one packet at a time, each with its own way through the system.
	s.out = udp.NewOutbox(sock, batch, false, func(_ error, n int) { s.failed += uint64(n) })
	return s, nil
}

// Close closes the socket.
func (s *Socket) Close() { s.sock.Close() }

// Local is the address it is bound to.
func (s *Socket) Local() netip.AddrPort { return s.local }

// Lost is how many datagrams this side lost: refused when sending, or fallen out of the receive buffer.
func (s *Socket) Lost() uint64 { return s.failed + s.sock.Lost() }

// Route is where a datagram goes and, if that was said, which address it comes from; made once, used for every packet.
type Route = udp.Sockaddr

// NewRoute prepares sending to to; from may be the zero Addr.
func NewRoute(from netip.Addr, to netip.AddrPort) Route {
	return udp.NewSockaddr(to, from, !to.Addr().Is4())
}

// Queue gives out the memory of the next datagram, n bytes to be filled at once; it leaves with Flush or with the batch.
func (s *Socket) Queue(r *Route, n int) []byte {
	if s.queued == batch {
		s.Flush()
	}
	b := s.data[s.queued][:n]
	s.queued++
	s.out.Add(r, b)
	return b
}

// Flush sends what is queued. What the kernel refuses is counted and left out.
func (s *Socket) Flush() {
	s.out.Flush()
	s.queued = 0
}

// Packet is a received datagram; Data is valid until the callback returns.
type Packet struct {
	Data []byte
	From netip.AddrPort
	To   netip.Addr // the address it was sent to
	At   int64      // when the kernel took it in, in nanoseconds since 1970
}

// Receive calls each for every datagram that is there, and returns how many there were. It does not wait.
func (s *Socket) Receive(each func(p *Packet)) (int, error) {
	var p Packet
	for total := 0; ; {
		s.in.Free()
		_, n, err := s.sock.Receive(s.in, batch)
		switch {
		case err == nil:
		case errors.Is(err, syscall.EAGAIN):
			return total, nil
		case errors.Is(err, syscall.EINTR), errors.Is(err, syscall.ECONNREFUSED): // the latter is an ICMP answer to what was sent
			continue
		default:
			return total, err
		}
		for i := range n {
			p = Packet{Data: s.in.Packet(i), From: s.in.From(i), To: s.in.To(i), At: s.in.Time(i)}
			if !p.To.IsValid() {
				p.To = s.local.Addr()
			}
			if p.At == 0 {
				p.At = time.Now().UnixNano()
			}
			each(&p)
		}
		if total += n; n < batch {
			return total, nil
		}
	}
}

// WaitReadable waits until one of the sockets has something, at most as long as timeout.
func WaitReadable(timeout time.Duration, sockets ...*Socket) {
	all := make([]*udp.Socket, len(sockets))
	for i, s := range sockets {
		all[i] = s.sock
	}
	udp.WaitReadable(timeout, all...)
}
