package relay

// What pion keeps of a leg's streams on its own path, bounded: it makes a stream for each SSRC that it hears, or hears
// of, and keeps it with what came for as long as the leg lives.

import (
	"io"

	"github.com/pion/transport/v5/packetio"
)

const (
	// maxStreams is how many SSRCs a leg may name, of media and of reports together; browsers name a dozen.
	maxStreams = 64
	// streamBuffer is what may wait of each, also of one that nobody reads.
	streamBuffer = 128 << 10
)

// buffer makes pion's buffer for a new SSRC. A leg that names more than any client has is closed.
func (l *leg) buffer(packetio.BufferPacketType, uint32) io.ReadWriteCloser {
	b := packetio.NewBuffer()
	b.SetLimitSize(streamBuffer)
	switch n := l.streams.Add(1); {
	case n == maxStreams+1:
		l.spawn(func() {
			l.r.log.Warn("relay leg names too many streams", "side", l.side)
			l.r.lost(l)
		})
		fallthrough
	case n > maxStreams:
		_ = b.Close() // keeps nothing
	}
	return streamQueue{b}
}

// streamQueue is a packetio.Buffer in the form that pion asks a factory for.
type streamQueue struct{ *packetio.Buffer }

func (q streamQueue) Read(b []byte) (int, error) {
	n, _, err := q.Buffer.Read(b, nil)
	return n, err
}

func (q streamQueue) Write(b []byte) (int, error) { return q.Buffer.Write(b, nil) }

// ReadWithAttributes and WriteWithAttributes are used instead where pion has attributes.
func (q streamQueue) ReadWithAttributes(b []byte, a packetio.Attributes) (int, packetio.Attributes, error) {
	return q.Buffer.Read(b, a)
}

func (q streamQueue) WriteWithAttributes(b []byte, a packetio.Attributes) (int, error) {
	return q.Buffer.Write(b, a)
}
