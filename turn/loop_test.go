package turn

import (
	"net"
	"testing"
	"time"
)

// BenchmarkLoop is what a burst of 32 packets costs from a client's socket through the loop to the other client's.
func BenchmarkLoop(b *testing.B) {
	s := start(b, func(c *Config, _ *limits) { c.UserBytesPerSecond, c.UserPPS = 0, 0 })
	from, to, _, _ := pair(b, s, "udp", "udp")
	to.conn.(*net.UDPConn).SetReadBuffer(4 << 20)
	frame, buf := channelData(0x4000, string(make([]byte, 1000))), make([]byte, 2000)
	const burst = 32
	b.SetBytes(burst * 1000)
	b.ReportAllocs()
	for b.Loop() {
		for range burst {
			from.conn.Write(frame)
		}
		to.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		for range burst {
			if _, err := to.conn.Read(buf); err != nil {
				b.Fatal(err)
			}
		}
	}
}
