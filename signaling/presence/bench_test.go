package presence

// What telling who is online costs.

import (
	"fmt"
	"testing"
	"time"

	"duet/signaling/protocol"
)

// BenchmarkList: the user list of 5,000 after a change.
func BenchmarkList(b *testing.B) {
	r := New(time.Second, time.Second)
	var entries []*Entry
	for i := range 5000 {
		entries = append(entries, r.Add(protocol.NewID("u_"), fmt.Sprint("user ", i), false, "available"))
	}
	now := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Set(entries[i%5000], []string{"busy", "available"}[i/5000%2], now)
		now = now.Add(time.Second)
		r.take()
		r.publish(now)
	}
}

// BenchmarkDelta: one tick of ten changes for 5,000 receivers, without the sockets.
func BenchmarkDelta(b *testing.B) {
	r := New(time.Second, time.Millisecond)
	var entries []*Entry
	var conns []*shelf
	for i := range 5000 {
		entries = append(entries, r.Add(protocol.NewID("u_"), fmt.Sprint("user ", i), false, "available"))
	}
	for range 5000 {
		c := &shelf{}
		r.Attach(&c.watch, c, true, time.Now())
		conns = append(conns, c)
	}
	now := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for j := range 10 {
			r.Set(entries[(i*10+j)%5000], []string{"busy", "available"}[(i*10+j)/5000%2], now)
		}
		now = now.Add(time.Second)
		r.flush(now)
		for _, c := range conns {
			c.queue = nil
		}
	}
}
