// Package udp sends and receives datagrams in batches, outside Go's poller, which would wake a thread for each batch. On
// Linux a batch is one system call, and frames of one size for one receiver are one segmented datagram (UDP GSO) where
// kernel and network card can do that. Elsewhere a stand-in does the same one by one.
//
// A [Socket] is read by one goroutine, its owner's loop, into an [Inbox]; what is to be sent at once is gathered in an
// [Outbox], which has the same owner. Everybody may [Socket.Send]. A loop with one socket waits in [Socket.Wait], one with
// many in [Poller.Wait]; between two batches it asks its [Yielder]. A [Sockaddr] is made once for each receiver.
//
// A Socket has a lock that keeps it open while it is used, a Poller a leaf for its sockets. On Linux no goroutine is started
// here; the stand-in's Poller has one for each socket, which ends with the socket. All unsafe code of the program is in
// this package, so that there are a few functions for streams, too.
package udp

import (
	"net"
	"runtime"
	"time"

	"golang.org/x/net/bpf"
)

// Options are what a socket is opened with.
type Options struct {
	// ReusePort lets several sockets have one port (SO_REUSEPORT).
	ReusePort bool
	// Chooser is a program for the kernel that returns the number of the socket, in the order in which they were bound, that
	// gets a datagram; it holds for all sockets of the port. Empty: by a hash of the addresses.
	Chooser []bpf.RawInstruction
	// Receive and Send are the bytes asked for the kernel's buffers; 0 is what the system gives unasked. Beyond
	// net.core.rmem_max and wmem_max it takes CAP_NET_ADMIN; without it those are what there is, usually 208 KiB, into which
	// 184 packets of 1,200 bytes fit.
	Receive, Send int
	// Local asks which of this machine's addresses a datagram was sent to, where the socket has more than one.
	Local bool
	// Times asks when the kernel took a datagram in.
	Times bool
}

// Listen opens a socket.
func Listen(network, address string, o Options) (*Socket, error) {
	conn, err := Bind(network, address, o)
	if err != nil {
		return nil, err
	}
	return Take(conn, o)
}

// Bind is the first half of Listen: a socket on its port, still in Go's poller.
func Bind(network, address string, o Options) (*net.UDPConn, error) { return bind(network, address, o) }

// Take is the other half. conn is the Socket's from now on, whatever happens.
func Take(conn *net.UDPConn, o Options) (*Socket, error) { return take(conn, o) }

// yieldEvery: a goroutine that never yields is taken by the runtime for one that hogs its processor, even while it waits in a
// system call: after 10 ms its monitor takes the processor away, and then looks every 20 µs what it does next, which
// costs 15 % of the whole server under load. So a loop yields more often than that; and when it has nothing at hand,
// because the runtime wakes another thread each time, and often goes on with the loop there.
const yieldEvery = 9 * time.Millisecond

// Yielder is a loop's rule of yielding.
type Yielder struct{ last time.Duration }

// Yield gives the processor up if that is due. now is the loop's own monotonic clock.
func (y *Yielder) Yield(now time.Duration) {
	if now-y.last > yieldEvery {
		y.last = now
		runtime.Gosched()
	}
}
