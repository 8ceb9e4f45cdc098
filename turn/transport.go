package turn

// This file says what carries messages between clients and this server: a UDP port, or one stream of TCP or TLS.

import (
	"net"
	"net/netip"
	"sync"

	"duet/internal/udp"
)

const (
	// maxFrame is the largest message taken from a client: the library drops what fills its 1600-byte buffer.
	maxFrame = 1599
	// maxPacket is the largest payload that is relayed. One that is larger is dropped and counted, never cut.
	maxPacket = 1500
)

// transport is what a gate reads from and writes to.
type transport interface {
	// read gives one datagram or frame, or nothing when it was woken. An error means that the transport is over.
	read(b []byte) (int, route, error)
	wake()
	// write sends one; it must not keep b, nor wait for a slow client.
	write(b []byte, to route)
	close() error
	local() net.Addr
	datagrams() bool
	protocol() string // "udp", "tcp" or "tls"
	// sockaddr is a client's address as the system wants it, where the transport sends by itself.
	sockaddr(to route) udp.Sockaddr
	// allocated tells a stream that it carries an allocation, or no longer does.
	allocated(bool)
}

// udpListener is one of the sockets on the UDP port.
type udpListener interface {
	transport
	// serve begins to read for the gate of this transport.
	serve(*gate)
	drops() uint64
}

// route is a client's address, and the address of this machine that it talks to: answers come from there. The latter is
// not valid where it goes without saying.
type route struct {
	client netip.AddrPort
	local  netip.Addr
}

// packet is a datagram on its way to the gate, or a buffer to make one in.
type packet struct {
	route   route
	payload bool // or a request
	n       int
	buf     [maxFrame + 1]byte
}

var packets = sync.Pool{New: func() any { return new(packet) }}
