//go:build !linux

// This file stands in for what only Linux has: streams with the kernel's time stamps, and the clocks of other processes. The
// program builds everywhere; its measuring tools say that they need Linux.

package bench

import (
	"net/netip"
	"time"
)

func processCPU(int) (time.Duration, error) { return 0, errLinux }

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
