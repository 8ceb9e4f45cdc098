package signaling

import (
	"fmt"
	"strings"
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

func (c *conn) drop() { c.shelf().queue, c.owed = c.shelf().queue[:0], c.owed[:0] }

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
					s.acknowledge(s.sent)
				}
			}
		})
	}
}

// BenchmarkList: the user list of 5,000 after a change.
func BenchmarkList(b *testing.B) {
	r := newRoster(time.Second, time.Second)
	var entries []*entry
	for i := range 5000 {
		entries = append(entries, r.add(protocol.NewID("u_"), fmt.Sprint("user ", i), "available"))
	}
	r.log = nil
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.set(entries[i%5000], []string{"busy", "available"}[i/5000%2])
		r.log = r.log[:0]
		r.listLocked()
	}
}

// BenchmarkDelta: one tick of ten changes for 5,000 receivers, without the sockets.
func BenchmarkDelta(b *testing.B) {
	r := newRoster(time.Second, time.Millisecond)
	h := &Hub{cfg: DefaultConfig()}
	var entries []*entry
	var conns []*conn
	for i := range 5000 {
		entries = append(entries, r.add(protocol.NewID("u_"), fmt.Sprint("user ", i), "available"))
	}
	for range 5000 {
		c := onShelf(h)
		r.attach(c, protocol.FeaturePresenceDelta)
		conns = append(conns, c)
	}
	now := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for j := range 10 {
			r.set(entries[(i*10+j)%5000], []string{"busy", "available"}[(i*10+j)/5000%2])
		}
		now = now.Add(time.Second)
		r.flush(now)
		for _, c := range conns {
			c.drop()
		}
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
