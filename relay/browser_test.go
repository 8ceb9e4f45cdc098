package relay

// Two connections of a real Chromium, in one page, call each other through the relay.

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
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
const negotiate = async (name, options) => {
	const {pc} = ends[name];
	await pc.setLocalDescription(await pc.createOffer(options));
	await pc.setRemoteDescription({type: 'answer', sdp: await post('/answer/' + name, pc.localDescription.sdp)});
};
const join = async (name, codec) => {
	const pc = new RTCPeerConnection();
	const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: {width: 640, height: 480, frameRate: 15}});
	ends[name] = {pc, stream, tracks: []};
	pc.ontrack = (e) => {
		ends[name].tracks.push(e.track);
		const player = document.createElement(e.track.kind);
		player.srcObject = new MediaStream([e.track]);
		player.play();
	};
	for (const kind of ['audio', 'video']) {
		const tc = pc.addTransceiver(stream.getTracks().find((t) => t.kind === kind), {direction: 'sendrecv', streams: [stream]});
		if (kind === 'video' && codec) {
			const all = RTCRtpReceiver.getCapabilities('video').codecs;
			const mine = all.filter((c) => c.mimeType.toLowerCase() === 'video/' + codec.toLowerCase());
			tc.setCodecPreferences([...mine, ...all.filter((c) => !mine.includes(c))]);
		}
	}
	await negotiate(name);
};
window.start = (codec) => Promise.all([join('alice', codec), join('bob', codec)]).then(() => 'ok');
window.restart = (name) => negotiate(name, {iceRestart: true}).then(() => 'ok');
window.stop = (name) => ends[name].pc.close();
window.look = async (name) => {
	const found = {state: ends[name].pc.connectionState};
	const stats = await ends[name].pc.getStats();
	stats.forEach((s) => {
		if (s.type === 'inbound-rtp') found[s.kind] = {
			bytes: s.bytesReceived, packets: s.packetsReceived, lost: s.packetsLost, frames: s.framesDecoded ?? 0, keys: s.keyFramesDecoded ?? 0,
			freezes: s.freezeCount ?? 0, energy: s.totalAudioEnergy ?? 0, codec: stats.get(s.codecId)?.mimeType ?? '', nacks: s.nackCount ?? 0,
		};
		if (s.type === 'outbound-rtp' && s.kind === 'video') found.out = {frames: s.framesEncoded, target: s.targetBitrate ?? 0, retransmitted: s.retransmittedPacketsSent ?? 0, plis: s.pliCount};
		if (s.type === 'remote-inbound-rtp' && s.kind === 'video') found.rtt = s.roundTripTime ?? 0;
		if (s.type === 'candidate-pair' && s.nominated) found.protocol = stats.get(s.localCandidateId)?.protocol;
	});
	return found;
};
</script>`

// seen is what look returns.
type seen struct {
	State        string
	Audio, Video struct {
		Bytes, Packets, Lost, Frames, Keys, Freezes, Nacks int
		Energy                                             float64
		Codec                                              string
	}
	Out      struct{ Frames, Target, Retransmitted, PLIs int }
	RTT      float64
	Protocol string
}

// browser is a Chromium page with two ends of call c_1.
type browser struct {
	t   *testing.T
	ctx context.Context
}

func openBrowser(t *testing.T, s *Server) *browser {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) })
	mux.HandleFunc("POST /answer/{party}", func(w http.ResponseWriter, r *http.Request) {
		offer, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer, err := s.Answer(r.Context(), "c_1", r.PathValue("party"), string(offer))
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
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
	eval[string](b, "start('')")
	until(t, "ready", func() bool { return e.has("ready") })
	for _, name := range []string{"alice", "bob"} {
		got := b.see(name, "pictures and sound", func(s seen) bool { return s.Video.Frames > 30 && s.Audio.Packets > 50 && s.Audio.Energy > 0 })
		if got.Video.Freezes > 0 || got.Video.Lost != 0 || got.Audio.Lost != 0 {
			t.Errorf("%s: %+v", name, got)
		}
		b.see(name, "a round-trip time", func(s seen) bool { return s.RTT > 0 })
	}

	s.Mute("c_1", "alice", "video", false)
	last := -1
	before := b.see("bob", "no more pictures", func(s seen) bool {
		same := s.Video.Bytes == last
		last = s.Video.Bytes
		return same
	})
	b.see("bob", "sound go on", func(s seen) bool { return s.Audio.Packets > before.Audio.Packets+100 })
	muted := b.look("bob")
	if muted.Video.Bytes != before.Video.Bytes {
		t.Errorf("bob received %d bytes of a muted camera", muted.Video.Bytes-before.Video.Bytes)
	}
	s.Mute("c_1", "alice", "video", true)
	began := time.Now()
	after := b.see("bob", "a picture", func(s seen) bool { return s.Video.Frames > muted.Video.Frames })
	t.Logf("picture %v after unmute", time.Since(began))
	after = b.see("bob", "more pictures", func(s seen) bool { return s.Video.Frames > after.Video.Frames+30 })
	if after.Video.Lost != 0 || after.Video.Keys <= muted.Video.Keys {
		t.Errorf("after unmute: %+v, before: %+v", after.Video, muted.Video)
	}

	eval[string](b, "restart('alice')")
	b.see("bob", "pictures after an ICE restart", func(s seen) bool { return s.Video.Frames > after.Video.Frames+60 })
	if e.has("failed") {
		t.Errorf("events %q", e.seen)
	}
}
