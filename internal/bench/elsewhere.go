//go:build !linux

// This file stands in for what only Linux has: batches of datagrams with the kernel's time stamps, and the clocks of
// other processes. The program builds everywhere; its measuring tools say that they need Linux.

package bench

import (
	"errors"
	"net/netip"
	"time"
)

var errLinux = errors.New("the measuring tools need Linux")

func processCPU(int) (time.Duration, error) { return 0, errLinux }

// Socket is not there.
type Socket struct{}

// Route is not there.
type Route struct{}

// Packet is a received datagram.
type Packet struct {
	Data []byte
	From netip.AddrPort
	To   netip.Addr
	At   int64
}

// ListenUDP says that it needs Linux.
func ListenUDP(netip.AddrPort) (*Socket, error) { return nil, errLinux }

// Close does nothing.
func (*Socket) Close() {}

// Local is nowhere.
func (*Socket) Local() netip.AddrPort { return netip.AddrPort{} }

// Lost is zero.
func (*Socket) Lost() uint64 { return 0 }

// NewRoute leads nowhere.
func NewRoute(netip.Addr, netip.AddrPort) Route { return Route{} }

// Queue gives out memory that is not sent.
func (*Socket) Queue(_ *Route, n int) []byte { return make([]byte, n) }

// Flush sends nothing.
func (*Socket) Flush() {}

// Receive receives nothing.
func (*Socket) Receive(func(*Packet)) (int, error) { return 0, errLinux }

// WaitReadable sleeps.
func WaitReadable(timeout time.Duration, _ ...*Socket) { time.Sleep(timeout) }

// SleepUntil sleeps.
func SleepUntil(t time.Time) { time.Sleep(time.Until(t)) }

// SharpenTimers does nothing.
func SharpenTimers() {}

// Streams is not there.
type Streams struct{ Received uint64 }

// Stream is not there.
type Stream struct{ ID int }

// StreamEvent is what Poll reports.
type StreamEvent struct {
	Stream *Stream
	Data   []byte
	At     int64
	Err    error
}

// NewStreams says that it needs Linux.
func NewStreams() (*Streams, error) { return nil, errLinux }

// Close does nothing.
func (*Streams) Close() {}

// Dial says that it needs Linux.
func (*Streams) Dial(int, netip.Addr, netip.AddrPort) (*Stream, error) { return nil, errLinux }

// Poll says that it needs Linux.
func (*Streams) Poll(time.Duration, func(StreamEvent)) (bool, error) { return false, errLinux }

// Close does nothing.
func (*Stream) Close() {}

// Closed is always true.
func (*Stream) Closed() bool { return true }

// Write sends nothing.
func (*Stream) Write([]byte) {}

// MaxFiles does not know.
func MaxFiles() uint64 { return 0 }
