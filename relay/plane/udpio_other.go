//go:build !linux

package plane

// Datagrams one by one, where there are no batches.

import (
	"errors"
	"net"
	"net/netip"
)

// udpSocket is the port.
type udpSocket struct {
	conn  *net.UDPConn
	local net.Addr
}

func newUDPSocket(conn *net.UDPConn) (*udpSocket, error) {
	return &udpSocket{conn, conn.LocalAddr()}, nil
}

func (s *udpSocket) enter() (bool, error) { return true, nil }

func (s *udpSocket) write(b []byte, to netip.AddrPort) error {
	_, err := s.conn.WriteToUDPAddrPort(b, to)
	return err
}

// lost is not known here.
func (s *udpSocket) lost() uint64 { return 0 }

func (s *udpSocket) close() { _ = s.conn.Close() }
func (s *udpSocket) leave() { s.close() }

type udpIO struct {
	conn    *net.UDPConn
	buf     [maxPacket]byte
	n       int
	from    netip.AddrPort
	sent    int
	bytes   int
	dropped int
}

func newUDPIO(s *udpSocket) *udpIO { return &udpIO{conn: s.conn} }

func (io *udpIO) receive() (int, error) {
	n, from, err := io.conn.ReadFromUDPAddrPort(io.buf[:largest+1])
	if err != nil {
		if errors.Is(err, net.ErrClosed) {
			return 0, net.ErrClosed
		}
		return 0, err
	}
	io.n, io.from = n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	return 1, nil
}

func (io *udpIO) packet(int) ([]byte, netip.AddrPort) { return io.buf[:io.n], io.from }

func (io *udpIO) queue(b []byte, to netip.AddrPort) {
	if _, err := io.conn.WriteToUDPAddrPort(b, to); err != nil {
		io.dropped++
		return
	}
	io.sent++
	io.bytes += len(b)
}

func (io *udpIO) send() (packets, bytes int) {
	packets, bytes = io.sent, io.bytes
	io.sent, io.bytes = 0, 0
	return packets, bytes
}

func (io *udpIO) lost() int {
	n := io.dropped
	io.dropped = 0
	return n
}
