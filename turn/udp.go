package turn

// This file is the front's link over one UDP socket, in its plain form.

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

type udpLink struct{ conn *net.UDPConn }

// read goes on after errors: only a closed socket ends the server.
func (l *udpLink) read(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := l.conn.ReadFromUDPAddrPort(b)
		if err == nil {
			return n, netip.AddrPortFrom(canonical(from.Addr()), from.Port()), nil
		}
		if errors.Is(err, net.ErrClosed) {
			return 0, netip.AddrPort{}, err
		}
		time.Sleep(time.Millisecond) // whatever it is, do not spin on it
	}
}

func (l *udpLink) write(b []byte, to netip.AddrPort) { l.conn.WriteToUDPAddrPort(b, to) }
func (l *udpLink) close() error                      { return l.conn.Close() }
func (l *udpLink) local() net.Addr                   { return l.conn.LocalAddr() }
func (l *udpLink) datagrams() bool                   { return true }
func (l *udpLink) allocated(bool)                    {}
func (l *udpLink) transport() string                 { return "udp" }
