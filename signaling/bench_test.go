package signaling

// What messages, tokens and steps under the lock cost.

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"duet/signaling/call"
	"duet/signaling/protocol"
)

// mute is a connection whose frames nobody writes: what is measured is all that
// happens between the bytes that come and the bytes that go.
func mute(b *testing.B, h *Hub, name, features string) *conn {
	b.Helper()
	c := &conn{hub: h, wire: &shelf{}, limit: rate.NewLimiter(rate.Inf, 1), budget: rate.NewLimiter(rate.Inf, 1), joinBy: time.NewTimer(time.Hour)}
	h.receive(c, fmt.Appendf(nil, `{"type":"join","username":%q,"features":[%s]}`, name, features))
	if c.session == nil {
		b.Fatalf("%s did not join", name)
	}
	return c
}

func (c *conn) drop() { c.shelf().queue, c.pending = c.shelf().queue[:0], c.pending[:0] }

func benchHub(b *testing.B) *Hub {
	b.Helper()
	h, err := New(DefaultConfig(), Deps{})
	if err != nil {
		b.Fatal(err)
	}
	h.cfg.Rate = 1e9
	return h
}

// BenchmarkForward: what one message costs, decoded, judged and encoded again.
func BenchmarkForward(b *testing.B) {
	candidate := `{"type":"iceCandidate","target":"Bob","candidate":{"candidate":"candidate:842163049 1 udp 1677729535 192.0.2.7 50000 typ srflx raddr 10.0.0.1 rport 50000 generation 0 ufrag abcd network-cost 999","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"abcd"}%s}`
	offer := `{"type":"offer","target":"Bob","offer":{"type":"offer","sdp":"` + strings.Repeat(`a=rtpmap:111 opus/48000/2\r\n`, 90) + `"}%s}`
	for _, c := range []struct{ name, text, features string }{
		{"candidate", candidate, ""}, {"offer", offer, ""}, {"candidate resumable", candidate, `"resume","presence-none"`},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := benchHub(b)
			a, bob := mute(b, h, "Ann", c.features), mute(b, h, "Bob", c.features)
			h.receive(a, []byte(`{"type":"call","target":"Bob"}`))
			h.receive(bob, []byte(`{"type":"callResponse","accepted":true}`))
			plain := fmt.Appendf(nil, c.text, "")
			b.ReportAllocs()
			b.SetBytes(int64(len(plain)))
			for n := uint64(1); b.Loop(); n++ {
				frame := plain
				if c.features != "" {
					frame = fmt.Appendf(nil, c.text, fmt.Sprintf(`,"seq":%d,"ack":0`, n))
				}
				h.receive(a, frame)
				a.drop()
				bob.drop()
				if s := bob.session; c.features != "" {
					s.acknowledge(s.sentSeq)
				}
			}
		})
	}
}

// BenchmarkToken: a session token, as every change of a call makes two.
func BenchmarkToken(b *testing.B) {
	signer := newSigner(make([]byte, 32))
	cl := claims{ID: protocol.NewID("u_"), Name: "Ann", Features: 3, Epoch: newEpoch(), Issued: 1, Call: &call.Snapshot{ID: protocol.NewID("c_"), PeerID: protocol.NewID("u_"), PeerName: "Bob"}}
	b.ReportAllocs()
	for b.Loop() {
		signer.sign(cl)
	}
}

// sink is a connection that takes everything at once.
type sink struct{ protocol.Conn }

func (sink) Push(protocol.Frame) (room bool) { return true }
func (sink) Flush()                          {}
func (sink) Close(uint16, string)            {}
func (sink) Closing() bool                   { return false }
func (sink) LastFrameAt() time.Time          { return time.Now() }

// BenchmarkHold: for how long a step holds the hub's lock, with 20,000 online, 40 joins and leaves and 100 set-ups a second,
// each with a diagnosis, while the list is told. b.N is seconds.
func BenchmarkHold(b *testing.B) {
	const online, joins, setups = 20000, 40, 100
	h := benchHub(b)
	h.log = slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { h.roster.Run(ctx) })
	defer work.Wait()
	defer cancel()
	enter := func(name, features string) *conn {
		c := &conn{hub: h, wire: sink{}, limit: rate.NewLimiter(rate.Inf, 1), budget: rate.NewLimiter(rate.Inf, 1), joinBy: time.NewTimer(time.Hour)}
		h.receive(c, fmt.Appendf(nil, `{"type":"join","username":%q,"features":[%s]}`, name, features))
		c.pending = c.pending[:0]
		return c
	}
	var all []*conn
	for i := range online {
		features := `"resume","presence-delta"`
		if i%20 == 0 {
			features = "" // a list for each
		}
		all = append(all, enter(fmt.Sprint("user ", i), features))
	}
	var holds []time.Duration
	h.watchHolds = func(since time.Time) { holds = append(holds, time.Since(since)) }
	seq := map[*conn]int{}
	say := func(c *conn, text string) {
		if c.session != nil && c.session.Features.Has(protocol.FeatureResume) {
			seq[c]++
			text = fmt.Sprintf(`%s,"seq":%d,"ack":%d}`, text[:len(text)-1], seq[c], c.session.sentSeq)
		}
		h.receive(c, []byte(text))
		c.pending = c.pending[:0]
	}
	tick := time.NewTicker(time.Second / setups)
	defer tick.Stop()
	n := 0
	for b.Loop() {
		for i := range setups {
			<-tick.C
			if i*joins/setups != (i+1)*joins/setups {
				n++
				all = append(all, enter(fmt.Sprint("guest ", n), `"resume","presence-delta"`))
				say(all[0], `{"type":"leave"}`)
				all = all[1:]
			}
			x, y := all[(n*7+i*13)%len(all)], all[(n*11+i*17+1)%len(all)]
			if x == y || x.session == nil || y.session == nil || x.session.Call != nil || y.session.Call != nil {
				continue
			}
			say(x, fmt.Sprintf(`{"type":"call","target":%q}`, y.session.ID))
			say(y, `{"type":"callResponse","accepted":true}`)
			say(x, `{"type":"offer","offer":{"type":"offer","sdp":"v=0"}}`)
			say(y, `{"type":"answer","answer":{"type":"answer","sdp":"v=0"}}`)
			for range 8 {
				say(x, `{"type":"iceCandidate","candidate":{"candidate":"candidate:1 1 udp 1 192.0.2.1 5 typ host","sdpMid":"0"}}`)
			}
			say(x, `{"type":"diagnosis","candidates":["host"],"protocols":["udp"],"families":["ip4"],"theirFamilies":["ip4"],"answered":true}`)
			say(y, `{"type":"endCall"}`)
		}
	}
	slices.Sort(holds)
	at := func(q float64) float64 { return float64(holds[int(q*float64(len(holds)-1))].Nanoseconds()) / 1000 }
	b.ReportMetric(at(.5), "p50-µs")
	b.ReportMetric(at(.99), "p99-µs")
	b.ReportMetric(at(.999), "p99.9-µs")
	b.ReportMetric(at(1), "max-µs")
	b.ReportMetric(float64(len(holds))/float64(b.N), "steps/s")
}
