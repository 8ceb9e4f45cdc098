package turn

// This file is an allocation's real socket, read by the loop of its client.

import (
	"errors"
	"net/netip"

	"duet/internal/udp"
)

// loopSocket implements relaySocket.
type loopSocket struct {
	allocation *allocation
	loop       *loop
	sock       *udp.Socket
}

// openRelay opens the socket of a relayed address. Clients on streams share the loops.
func (s *Server) openRelay(a *allocation) (relaySocket, error) {
	l, ok := a.gate.transport.(*loop)
	if !ok {
		if l, ok = s.udp[int(a.relay.Port())%len(s.udp)].(*loop); !ok {
			return nil, errors.ErrUnsupported
		}
	}
	network, address := s.ports.bindTo(a.relay)
	sock, err := udp.Listen(network, address, udp.Options{Receive: relayBuffer})
	if err != nil {
		return nil, err
	}
	e := &loopSocket{allocation: a, loop: l, sock: sock}
	if err := l.poller.Add(sock, e); err != nil {
		sock.Close()
		return nil, err
	}
	return e, nil
}

func (e *loopSocket) send(b []byte, peer netip.AddrPort) error { return e.sock.SendTo(b, peer) }

func (e *loopSocket) close() {
	e.loop.poller.Remove(e.sock)
	if e.sock.Close() {
		e.loop.lost.Add(e.sock.Lost())
	}
}

// drops is how many datagrams the kernel had no room for, also once it is closed.
func (e *loopSocket) drops() uint64 { return e.sock.Lost() }

// readRelay takes what peers have sent. What is left comes with the next event.
func (l *loop) readRelay(e *loopSocket) {
	l.reserve(relayBatch)
	first, n, err := e.sock.Receive(l.in, relayBatch)
	if err != nil {
		return
	}
	for i := first; i < first+n; i++ {
		if from := l.in.From(i); from.IsValid() {
			l.server.fromPeer(e.allocation, l.in.Frame(i), from, l.now, l)
		}
	}
}
