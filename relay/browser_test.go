package relay

// Two connections of a real Chromium, in one page, call each other through the relay.

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/chromedp/chromedp"

	"duet/relay/plane"
)

// page makes two ends, gives their offers to the relay, and reads what each receives.
const page = `<!doctype html><title>relay</title><script type="module">
const ends = {};
const post = async (path, body) => {
	const r = await fetch(path, {method: 'POST', body});
	const text = await r.text();
	if (!r.ok) throw new Error(text);
	return text;
};
const negotiate = async (key, options) => {
	const {pc} = ends[key];
	await pc.setLocalDescription(await pc.createOffer(options));
	await pc.setRemoteDescription({type: 'answer', sdp: await post('/answer/' + key, pc.localDescription.sdp)});
};
// prefer puts a codec in front; RED has the one it repeats behind it.
const prefer = (tc, kind, name) => {
	const all = RTCRtpReceiver.getCapabilities(kind).codecs;
	const mine = all.filter((c) => c.mimeType.toLowerCase() === (kind + '/' + name).toLowerCase());
	if (!mine.length) throw new Error('this browser has no ' + name);
	tc.setCodecPreferences([...mine, ...all.filter((c) => !mine.includes(c))]);
};
// join connects an end; key is call/name. An end of the same key is what a reload leaves behind.
window.join = async (key, video, audio) => {
	const pc = new RTCPeerConnection();
	const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: {width: 640, height: 480, frameRate: 15}});
	ends[key]?.pc.close();
	ends[key] = {pc, stream};
	pc.ontrack = (e) => {
		const player = document.createElement(e.track.kind);
		player.srcObject = new MediaStream([e.track]);
		player.play();
	};
	pc.createDataChannel('chat'); // which the relay refuses for itself
	for (const [kind, codec] of [['audio', audio], ['video', video]]) {
		const tc = pc.addTransceiver(stream.getTracks().find((t) => t.kind === kind), {direction: 'sendrecv', streams: [stream]});
		if (codec) prefer(tc, kind, codec);
	}
	await negotiate(key);
	return 'ok';
};
window.start = (call, ...codecs) => Promise.all([join(call + '/alice', ...codecs), join(call + '/bob', ...codecs)]).then(() => 'ok');
window.restart = (key) => negotiate(key, {iceRestart: true}).then(() => 'ok');
// swap sends a picture of another shape, as a shared screen is, in the camera's place.
window.swap = async (key) => {
	const canvas = document.createElement('canvas');
	canvas.width = 600;
	canvas.height = 600;
	const g = canvas.getContext('2d');
	setInterval(() => { g.fillStyle = 'hsl(' + performance.now() / 10 % 360 + ' 90% 50%)'; g.fillRect(0, 0, 600, 600); }, 50);
	const [track] = canvas.captureStream(20).getVideoTracks();
	await ends[key].pc.getSenders().find((s) => s.track.kind === 'video').replaceTrack(track);
	return 'ok';
};
window.stop = (key) => ends[key].pc.close();
window.look = async (key) => {
	const found = {state: ends[key].pc.connectionState};
	const stats = await ends[key].pc.getStats();
	stats.forEach((s) => {
		if (s.type === 'inbound-rtp') found[s.kind] = {
			bytes: s.bytesReceived, packets: s.packetsReceived, lost: s.packetsLost, frames: s.framesDecoded ?? 0, keys: s.keyFramesDecoded ?? 0,
			shape: s.frameHeight ? s.frameWidth / s.frameHeight : 0, energy: s.totalAudioEnergy ?? 0, codec: stats.get(s.codecId)?.mimeType ?? '', nacks: s.nackCount ?? 0,
		};
		if (s.type === 'outbound-rtp' && s.kind === 'video') found.out = {target: s.targetBitrate ?? 0, plis: s.pliCount, frames: s.framesSent, repeated: s.retransmittedPacketsSent ?? 0};
		if (s.type === 'remote-inbound-rtp' && s.kind === 'video') found.rtt = s.roundTripTime ?? 0;
	});
	return found;
};
</script>`

// seen is what look returns.
type seen struct {
	State        string
	Audio, Video struct {
		Bytes, Packets, Lost, Frames, Keys, Nacks int
		Energy, Shape                             float64
		Codec                                     string
	}
	Out struct{ Target, PLIs, Frames, Repeated int }
	RTT float64
}

// browser is a Chromium page with the ends of calls; an end is call/name.
type browser struct {
	t   *testing.T
	ctx context.Context
}

func openBrowser(t *testing.T, s *Server, through ...*network) *browser {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) })
	mux.HandleFunc("POST /answer/{call}/{party}", func(w http.ResponseWriter, r *http.Request) {
		offer, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer, err := s.Answer(r.Context(), r.PathValue("call"), r.PathValue("party"), string(offer))
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		for _, n := range through { // the clients reach the relay over this network only
			answer = strings.ReplaceAll(answer, fmt.Sprintf(" %d typ host\r\n", s.port), fmt.Sprintf(" %d typ host\r\n", n.port()))
			answer = tcpCandidates.ReplaceAllString(answer, "")
		}
		_, _ = io.WriteString(w, answer)
	})
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox,
		chromedp.Flag("use-fake-device-for-media-stream", true),
		chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("mute-audio", false), // measured, not heard
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.UserDataDir(t.TempDir()),
	)...)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the process
		cancel()
		cancelAlloc()
	})
	if err := chromedp.Do(ctx, chromedp.Navigate(web.URL)); err != nil {
		t.Fatalf("open page in Chromium: %v", err)
	}
	return &browser{t, ctx}
}

var tcpCandidates = regexp.MustCompile("a=candidate:[^\n]*tcptype[^\n]*\n")

// eval runs a script in the page and waits for its promise.
func eval[T any](b *browser, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return v
}

func (b *browser) look(name string) seen {
	b.t.Helper()
	return eval[seen](b, fmt.Sprintf("look(%q)", name))
}

// see polls until an end's statistics satisfy ok.
func (b *browser) see(name, what string, ok func(seen) bool) seen {
	b.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); ; <-tick.C {
		s := b.look(name)
		if ok(s) {
			return s
		}
		if time.Now().After(end) {
			b.t.Fatalf("waited %v for %s to see %s: %+v", patience, name, what, s)
		}
	}
}

func TestChromium(t *testing.T) {
	s := start(t, nil)
	var e events
	if err := s.Open("c_1", e.notify); err != nil {
		t.Fatal(err)
	}
	b := openBrowser(t, s)
	eval[string](b, "start('c_1')")
	until(t, "ready", func() bool { return e.has("ready") })
	for _, name := range []string{"c_1/alice", "c_1/bob"} {
		got := b.see(name, "pictures and sound", func(s seen) bool { return s.Video.Frames > 30 && s.Audio.Packets > 50 && s.Audio.Energy > 0 })
		if got.Video.Lost != 0 || got.Audio.Lost != 0 {
			t.Errorf("%s: %+v", name, got)
		}
		b.see(name, "a round-trip time", func(s seen) bool { return s.RTT > 0 })
	}

	s.Mute("c_1", "alice", "video", false)
	last := -1
	before := b.see("c_1/bob", "no more pictures", func(s seen) bool {
		same := s.Video.Bytes == last
		last = s.Video.Bytes
		return same
	})
	b.see("c_1/bob", "sound go on", func(s seen) bool { return s.Audio.Packets > before.Audio.Packets+100 })
	muted := b.look("c_1/bob")
	if muted.Video.Bytes != before.Video.Bytes {
		t.Errorf("bob received %d bytes of a muted camera", muted.Video.Bytes-before.Video.Bytes)
	}
	s.Mute("c_1", "alice", "video", true)
	began := time.Now()
	after := b.see("c_1/bob", "a picture", func(s seen) bool { return s.Video.Frames > muted.Video.Frames })
	t.Logf("picture %v after unmute", time.Since(began))
	after = b.see("c_1/bob", "more pictures", func(s seen) bool { return s.Video.Frames > after.Video.Frames+30 })
	if after.Video.Lost != 0 || after.Video.Keys <= muted.Video.Keys {
		t.Errorf("after unmute: %+v, before: %+v", after.Video, muted.Video)
	}

	eval[string](b, "restart('c_1/alice')")
	b.see("c_1/bob", "pictures after an ICE restart", func(s seen) bool { return s.Video.Frames > after.Video.Frames+60 })
	if got := paths(s, "c_1"); got != "plane plane" {
		t.Errorf("paths %q", got)
	}
	if e.has("failed") {
		t.Errorf("events %q", e.seen)
	}
}

// Every codec through what can happen to a stream: a mute, another picture in the camera's place, a reload at either end.
// The receiver decodes on, without a loss.
func TestChromiumCodecs(t *testing.T) {
	if os.Getenv("DUET_TEST_ALL") == "" {
		t.Skip("takes a minute: DUET_TEST_ALL=1")
	}
	codecs := [][2]string{{"VP8", "opus"}, {"VP9", "red"}, {"H264", "opus"}, {"AV1", "opus"}}
	s := start(t, nil)
	b := openBrowser(t, s)
	for _, c := range codecs {
		t.Run(c[0], func(t *testing.T) {
			b := &browser{t, b.ctx}
			call := "c_" + c[0]
			if err := s.Open(call, nil); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close(call) })
			eval[string](b, fmt.Sprintf("start(%q, %q, %q)", call, c[0], c[1]))
			alice, bob := call+"/alice", call+"/bob"
			pictures := func(why string, from seen) seen {
				t.Helper()
				return b.see(bob, why, func(s seen) bool {
					return s.Video.Frames > from.Video.Frames+20 && s.Audio.Packets > from.Audio.Packets+20
				})
			}
			now := pictures("pictures", seen{})
			if !strings.EqualFold(now.Video.Codec, "video/"+c[0]) {
				t.Errorf("codec %s, want %s", now.Video.Codec, c[0])
			}
			s.Mute(call, "alice", "video", false)
			s.Mute(call, "alice", "video", true)
			now = pictures("pictures after a mute", now)
			eval[string](b, fmt.Sprintf("swap(%q)", alice))
			now = b.see(bob, "the other picture", func(s seen) bool { return s.Video.Shape == 1 })
			eval[string](b, fmt.Sprintf("join(%q, %q, %q)", alice, c[0], c[1]))
			b.see(bob, "the camera after alice's reload", func(s seen) bool { return s.Video.Shape > 1.3 })
			now = pictures("pictures after alice's reload", now)
			if now.Video.Lost != 0 || now.Audio.Lost != 0 {
				t.Errorf("lost: %+v", now)
			}
			eval[string](b, fmt.Sprintf("join(%q, %q, %q)", bob, c[0], c[1]))
			pictures("pictures after his own reload", seen{})
		})
	}
}

// Losses are repaired end to end: the receiver asks, the sender repeats, and hardly a frame is missing.
func TestChromiumLoss(t *testing.T) {
	s := start(t, nil)
	if err := s.Open("c_1", nil); err != nil {
		t.Fatal(err)
	}
	n := newNetwork(t, s)
	b := openBrowser(t, s, n)
	eval[string](b, "start('c_1')")
	before := b.see("c_1/bob", "pictures", func(s seen) bool { return s.Video.Frames > 15 })
	from := b.look("c_1/alice").Out
	n.permille.Store(50)
	got := b.see("c_1/bob", "many pictures", func(s seen) bool { return s.Video.Frames > before.Video.Frames+60 && s.Video.Nacks > 5 })
	n.permille.Store(0)
	to := b.look("c_1/alice").Out
	if n.lost.Load() == 0 || to.Repeated == from.Repeated {
		t.Errorf("%d packets were lost, %d repeated", n.lost.Load(), to.Repeated-from.Repeated)
	}
	decoded, sent := got.Video.Frames-before.Video.Frames, to.Frames-from.Frames
	if decoded < sent*8/10 {
		t.Errorf("%d frames of %d were decoded", decoded, sent)
	}
	t.Logf("%d of %d frames, %d packets lost both ways, %d repeated", decoded, sent, n.lost.Load(), to.Repeated-from.Repeated)

	// Where repeating does not help, the receiver asks for a key frame, and the sender makes one.
	keys := b.look("c_1/bob").Video.Keys
	n.large.Store(true)
	b.see("c_1/alice", "a request for a key frame", func(s seen) bool { return s.Out.PLIs > to.PLIs })
	n.large.Store(false)
	b.see("c_1/bob", "a key frame", func(s seen) bool { return s.Video.Keys > keys })
}

// A client that is gone without a word is noticed when its consent expires (RFC 7675).
func TestConsentExpires(t *testing.T) {
	if os.Getenv("DUET_TEST_ALL") == "" {
		t.Skip("takes half a minute: DUET_TEST_ALL=1")
	}
	s := start(t, nil)
	var e events
	if err := s.Open("c_1", e.notify); err != nil {
		t.Fatal(err)
	}
	n := newNetwork(t, s)
	b := openBrowser(t, s, n)
	eval[string](b, "start('c_1')")
	until(t, "ready", func() bool { return e.has("ready") })
	type traces struct {
		leg  weak.Pointer[leg]
		port weak.Pointer[plane.Port]
		keys weak.Pointer[plane.Keys]
	}
	var left []traces
	for side := range plane.Side(2) {
		l := s.room("c_1").leg(side)
		left = append(left, traces{weak.Make(l), weak.Make(l.port), weak.Make(l.keys)})
	}
	n.dead.Store(true)
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ; paths(s, "c_1") != ""; <-tick.C {
		if time.Since(began) > 45*time.Second {
			t.Fatalf("paths %q, though nobody is there", paths(s, "c_1"))
		}
	}
	if took := time.Since(began); took < 20*time.Second {
		t.Errorf("given up after %v", took)
	}
	// Nobody comes back: the call is lost, and with its end nothing is left of the legs.
	until(t, "the call to be given up", func() bool { return e.has("failed") })
	s.Close("c_1")
	until(t, "the legs and their keys to be forgotten", func() bool {
		runtime.GC()
		return !slices.ContainsFunc(left, func(l traces) bool { return l.leg.Value() != nil || l.port.Value() != nil || l.keys.Value() != nil })
	})
}
