//go:build !linux

package turn

// This file is UDP where there are no batches and no epoll: one socket, and a goroutine for each relay socket.

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"duet/internal/udpbuf"
)

type sockaddr struct{}

// keepUnsent: the system has a bound of its own.
func keepUnsent(*net.TCPConn, int) {}

type udpLink struct {
	conn  *net.UDPConn
	stats *stats
}

func listenUDP(s *Server, address string) ([]udpListener, error) {
	pc, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, err
	}
	conn := pc.(*net.UDPConn)
	udpbuf.Set(conn, 4<<20, 4<<20)
	return []udpListener{&udpLink{conn, s.stats}}, nil
}

func (l *udpLink) serve(*gate) {}

// read goes on after errors: only a closed socket ends the server.
func (l *udpLink) read(b []byte) (int, route, error) {
	for {
		n, from, err := l.conn.ReadFromUDPAddrPort(b)
		if err == nil {
			return n, route{client: netip.AddrPortFrom(canonical(from.Addr()), from.Port())}, nil
		}
		if errors.Is(err, net.ErrClosed) {
			return 0, route{}, err
		}
		if errors.Is(err, os.ErrDeadlineExceeded) { // woken
			l.conn.SetReadDeadline(time.Time{})
			return 0, route{}, nil
		}
		time.Sleep(time.Millisecond) // whatever it is, do not spin on it
	}
}

func (l *udpLink) write(b []byte, to route) {
	if _, err := l.conn.WriteToUDPAddrPort(b, to.client); err != nil {
		l.stats.lose(err)
	}
}

func (l *udpLink) wake()                          { l.conn.SetReadDeadline(time.Unix(1, 0)) }
func (l *udpLink) close() error                   { return l.conn.Close() }
func (l *udpLink) local() net.Addr                { return l.conn.LocalAddr() }
func (l *udpLink) datagrams() bool                { return true }
func (l *udpLink) allocated(bool)                 {}
func (l *udpLink) protocol() string               { return "udp" }
func (l *udpLink) sockaddr(route) (none sockaddr) { return none }
func (l *udpLink) drops() uint64                  { return 0 }

// goSocket is a relay socket with a reader of its own.
type goSocket struct{ conn *net.UDPConn }

func (s *Server) openRelay(a *allocation) (relaySocket, error) {
	pc, err := s.ports.open(a.relay)
	if err != nil {
		return nil, err
	}
	conn := pc.(*net.UDPConn)
	udpbuf.Set(conn, 1<<20, 0) // a peer sends a key frame at once
	s.running.Go(func() {
		frame := make([]byte, 4+maxPacket+1)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(frame[4:])
			switch {
			case err == nil:
				s.arrived(a, frame[:4+n], netip.AddrPortFrom(canonical(from.Addr()), from.Port()), s.clock(), direct{s})
			case errors.Is(err, net.ErrClosed):
				return
			default:
				time.Sleep(time.Millisecond) // an error that may pass; do not spin on it
			}
		}
	})
	return goSocket{conn}, nil
}

func (g goSocket) send(b []byte, peer netip.AddrPort) error {
	_, err := g.conn.WriteToUDPAddrPort(b, peer)
	return err
}
func (g goSocket) close() { g.conn.Close() }
