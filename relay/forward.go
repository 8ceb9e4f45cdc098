package relay

// pion's path: pion opens and seals the packets, the translator renames them in between.

import (
	"bytes"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"duet/internal/lock"
	"duet/relay/plane"
)

// mtu is the largest packet that is read: no sender on the Internet makes larger ones.
const mtu = 1500

// track is what a client receives from the relay: a TrackLocal that takes ready packets.
type track struct {
	kind plane.Kind
	to   atomic.Pointer[webrtc.TrackLocalContext]
}

func newTrack(k plane.Kind) *track { return &track{kind: k} }

// Bind implements webrtc.TrackLocal.
func (t *track) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	if len(c.CodecParameters()) == 0 {
		return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
	}
	t.to.Store(&c)
	return c.CodecParameters()[0], nil
}

// Unbind implements webrtc.TrackLocal.
func (t *track) Unbind(webrtc.TrackLocalContext) error {
	t.to.Store(nil)
	return nil
}

// ID implements webrtc.TrackLocal.
func (t *track) ID() string { return t.kind.String() }

// RID implements webrtc.TrackLocal.
func (t *track) RID() string { return "" }

// StreamID implements webrtc.TrackLocal. Audio and video of one person belong together, a screen stands for itself.
func (t *track) StreamID() string {
	if t.kind == plane.Screen {
		return "screen"
	}
	return "peer"
}

// Kind implements webrtc.TrackLocal.
func (t *track) Kind() webrtc.RTPCodecType { return pionKind(t.kind) }

// write sends a plain packet with the names it has, over the leg's path.
func (l *leg) write(b []byte) {
	if l.port.OnPlane() {
		l.port.Send(false, b)
		return
	}
	for i := range l.tracks {
		t := l.tracks[i].Load()
		if t == nil {
			continue
		}
		if c := t.to.Load(); c != nil {
			_, _ = (*c).WriteStream().Write(b) // a full or closed socket loses packets, as networks do
			return
		}
	}
}

func (l *leg) writeRTCP(b []byte) {
	pc := l.pc.Load()
	if pc == nil || len(b) == 0 {
		return
	}
	if l.port.OnPlane() {
		l.port.Send(true, b)
		return
	}
	raw := rtcp.RawPacket(b)
	_ = pc.WriteRTCP([]rtcp.Packet{&raw})
}

// fromPlane sends what the plane received from the other leg.
func (l *leg) fromPlane(report bool, b []byte) {
	if report {
		l.writeRTCP(b)
	} else {
		l.write(b)
	}
}

// tapFactory puts a tap into every stream of a leg.
type tapFactory struct{ l *leg }

// NewInterceptor implements interceptor.Factory.
func (f tapFactory) NewInterceptor(string) (interceptor.Interceptor, error) { return &tap{l: f.l}, nil }

// tap sees each packet as the client sent it: retransmissions and padding too, which pion's tracks hide.
type tap struct {
	interceptor.NoOp
	l *leg
}

// BindRemoteStream implements interceptor.Interceptor.
func (t *tap) BindRemoteStream(_ *interceptor.StreamInfo, from interceptor.RTPReader) interceptor.RTPReader {
	return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, a, err := from.Read(b, a)
		if err == nil {
			t.l.forward(b[:n])
		}
		return n, a, err
	})
}

var buffers = sync.Pool{New: func() any { return new([mtu]byte) }}

// forward gives one RTP packet to the other leg.
func (l *leg) forward(b []byte) {
	if len(b) > mtu {
		return
	}
	l.mediaArrived()
	other := l.r.leg(l.r.across(l.side))
	if other == nil || !other.connected.Load() {
		return
	}
	buf := buffers.Get().(*[mtu]byte)
	defer buffers.Put(buf)
	p := buf[:copy(buf[:], b)] // pion still reads its own
	result, ask := l.r.tr.RTP(l.side, p, l.r.s.now())
	if result == plane.Forward {
		other.write(p)
	}
	if ask {
		l.r.askKeyFrames(l.side)
	}
}

// drain reads a track to its end.
func (l *leg) drain(remote *webrtc.TrackRemote) {
	b := make([]byte, mtu)
	for {
		if _, _, err := remote.Read(b); err != nil {
			return
		}
	}
}

// readRTCP passes on what a client says about one stream. It ends with the stream.
func (l *leg) readRTCP(read func([]byte) (int, interceptor.Attributes, error)) {
	b := make([]byte, mtu)
	var out []byte
	for {
		n, _, err := read(b)
		if err != nil {
			return
		}
		if l.recent.seen(b[:n], l.r.s.now()) {
			continue
		}
		other := l.r.leg(l.r.across(l.side))
		if other == nil || !other.connected.Load() {
			continue
		}
		out = l.r.tr.RTCP(l.side, b[:n], out[:0], l.r.s.now())
		other.writeRTCP(bytes.Clone(out))
	}
}

// recent tells packets that pion hands out once for each stream that they speak of.
type recent struct {
	mu   lock.Mutex[lock.Leaf]
	seed maphash.Seed
	last [16]struct {
		hash uint64
		at   time.Duration
	}
	next int
}

func (r *recent) seen(b []byte, now time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seed == (maphash.Seed{}) {
		r.seed = maphash.MakeSeed()
	}
	h := maphash.Bytes(r.seed, b)
	for _, l := range r.last {
		if l.hash == h && now-l.at < 20*time.Millisecond {
			return true
		}
	}
	r.last[r.next].hash, r.last[r.next].at = h, now
	r.next = (r.next + 1) % len(r.last)
	return false
}
