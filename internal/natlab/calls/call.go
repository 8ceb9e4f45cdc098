//go:build linux

// One call and what came of it.

package calls

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"duet/internal/e2e"
)

//go:embed measure.js
var measureScript string

// A Result is one measured call.
type Result struct {
	From, To string // networks
	Want     string // path: direct, turn or relay; several with "|" where either is right
	Path     string // what it was in the end, as both browsers' getStats say
	How      string // candidate types and transports of the selected pair: those of the caller's end
	Setup    [2]time.Duration
	Frames   [2]int
	Freezes  [2]int
	Fault    string // empty: connected, and as it should be
}

// setup is when both saw each other.
func (r Result) setup() time.Duration { return max(r.Setup[0], r.Setup[1]) }

// sight is what the injected script saw at one end.
type sight struct {
	Accepted float64      `json:"accepted"` // ms since 1970, of this end's click
	First    float64      `json:"first"`
	Frames   int          `json:"frames"`
	Freezes  int          `json:"freezes"`
	Gaps     [][2]float64 `json:"gaps"` // since the first picture, and length
	Open     float64      `json:"open"` // since the last picture
	Longest  float64      `json:"longest"`
	Now      float64      `json:"now"`
}

func (p *Person) sight() sight { return e2e.JS[sight](p.Browser, "__lab.result()") }

// mark begins a new measurement of gaps at both.
func mark(both ...*Person) {
	for _, p := range both {
		e2e.JS[any](p.Browser, "__lab.mark()")
	}
}

// CallOptions says how a call differs from one between two cameras.
type CallOptions struct {
	Query string        // of the page, as "?path=turn"
	Watch time.Duration // how long to look on; 0 means some seconds
	Keep  bool          // do not hang up: the caller of Call goes on
}

// settle is how long the path may take to become the best one after the first picture: ICE sends over the first pair that
// works and then takes better ones.
const settle = 10 * time.Second

// patience is how long a call may take to come up before it has failed, on a machine that may be busy.
const patience = 40 * time.Second

// Call has a call b and measures until the path is as wanted, at most for settle, and then for a while.
func (w *World) Call(a, b *Person, want string, o CallOptions) (r Result) {
	r = Result{From: a.Net.Name, To: b.Net.Name, Want: want}
	if o.Watch == 0 {
		o.Watch = 3 * time.Second
		if want == turn {
			o.Watch = 7 * time.Second // long enough to see the page look for a better way, and not find one
		}
	}
	err := w.a.try(func() {
		w.connect(a, b, o.Query)
		sights := w.bothSee(a, b)
		for i, s := range sights {
			r.Setup[i] = time.Duration((s.First - sights[1].Accepted) * float64(time.Millisecond))
		}
		r.Path, r.How = w.await(a, b, want)
		mark(a, b)
		<-time.After(o.Watch)
		r.Path, r.How = path(a, b)
		for i, p := range []*Person{a, b} {
			s := p.sight()
			r.Frames[i], r.Freezes[i] = s.Frames, s.Freezes
			if s.Open > 3000 {
				w.a.Errorf("%s sees a picture that stands still for %.0f ms", p.Name, s.Open)
			}
		}
		if !wanted(want, r.Path) {
			w.a.Errorf("the path is %s (%s), want %s", r.Path, r.How, want)
		}
	})
	if err != nil {
		r.Fault = err.Error()
		w.a.Logf("%s calls %s: %v\n%s\n%s", a.Name, b.Name, err, a.story(), b.story())
	}
	if err != nil || !o.Keep {
		w.part(a, b)
	}
	return r
}

// connect has a call b, who takes the call after the moment that people need.
func (w *World) connect(a, b *Person, query string) {
	for _, p := range []*Person{a, b} {
		w.enter(p, query)
	}
	a.Browser.Call(b.Name)
	b.Eventually("it rings", patience, func() bool { return b.Visible("incoming-dialog") })
	<-time.After(time.Second)
	b.Click("accept")
}

// enter has a person open the page and log in. That is not what is tried here, and a busy machine gets more than one try.
func (w *World) enter(p *Person, query string) {
	w.a.Helper()
	var err error
	for range 3 {
		err = w.a.try(func() {
			p.Open(query)
			p.Login("camera")
			e2e.JS[any](p.Browser, "__lab.arm()")
		})
		if err == nil {
			return
		}
		w.a.Logf("%s did not get in: %v", p.Name, err) // no story: a page that hangs would end the tries
	}
	w.a.Fatalf("enter: %v", err)
}

// bothSee waits until both have seen a picture of the other.
func (w *World) bothSee(a, b *Person) [2]sight {
	var all [2]sight
	for i, p := range []*Person{a, b} {
		p.Eventually("there is a picture", patience, func() bool {
			all[i] = p.sight()
			return all[i].First > 0
		})
	}
	return all
}

// part ends whatever there is between them, so that both can be called again.
func (w *World) part(both ...*Person) {
	for _, p := range both {
		_ = w.a.try(func() { e2e.JS[any](p.Browser, "window.duet?.leave()") })
		_ = w.a.try(func() { p.Leave() })
	}
}

// await waits for the wanted path, and returns what there is when it does not come.
func (w *World) await(a, b *Person, want string) (got, how string) {
	for end := time.Now().Add(settle); ; <-time.After(100 * time.Millisecond) {
		got, how = path(a, b)
		if wanted(want, got) || time.Now().After(end) {
			return got, how
		}
	}
}

func wanted(want, got string) bool {
	for _, one := range strings.Split(want, "|") {
		if one == got {
			return true
		}
	}
	return false
}

// path names the way that pictures take, by the selected pairs of both ends: a relayed candidate is known as such only
// where it is local.
func path(a, b *Person) (name, how string) {
	var names, hows []string
	for _, p := range []*Person{a, b} {
		n, h := "", "no connection"
		for _, s := range p.Stats() {
			if s.State != "connected" || s.Local == nil || s.Remote == nil {
				continue
			}
			h = s.Local.Type + "/" + s.Local.Protocol
			switch {
			case slices.Contains([]string{relayPort, turnPort, tlsPort}, fmt.Sprint(s.Remote.Port)): // the server's own: no person's candidate
				n = "relay"
			case s.Local.Type == "relay" || s.Remote.Type == "relay":
				n, h = "turn", s.Local.Type+"/"+s.Local.RelayProtocol
			default:
				n = "direct"
			}
			if strings.Contains(s.Local.Address, ":") {
				h += "/v6"
			}
			if s.Local.Type != "relay" {
				h = strings.TrimSuffix(h, "/")
			}
			break
		}
		names, hows = append(names, n), append(hows, h)
	}
	name = names[0]
	switch {
	case names[0] == "" || names[1] == "":
		name = "none"
	case names[0] == "relay" || names[1] == "relay":
		if names[0] != names[1] {
			name = names[0] + "/" + names[1]
		}
	case names[0] == "turn" || names[1] == "turn":
		name = "turn"
	}
	return name, strings.Join(hows, " – ")
}

// story is what helps to understand a call that went wrong: the console, and each connection with what it knew of both
// ends. All addresses are the laboratory's own.
func (p *Person) story() string {
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n", p.Name)
	lines := strings.Split(strings.TrimSpace(p.Console.String()), "\n")
	for _, l := range lines[max(0, len(lines)-15):] {
		fmt.Fprintf(&b, "    %s\n", l)
	}
	var all []string
	if err := p.attempt.try(func() { all = e2e.JS[[]string](p.Browser, connections) }); err != nil {
		fmt.Fprintf(&b, "    no connections: %v\n", err)
	}
	for _, c := range all {
		fmt.Fprintf(&b, "    %s\n", strings.ReplaceAll(c, "\n", "\n        "))
	}
	return b.String()
}

// connections tells of every RTCPeerConnection that the page has made.
const connections = `(async () => {
  const all = []
  const video = document.querySelector('[data-testid=remote-video]')
  const tracks = (video?.srcObject?.getTracks() ?? []).map((t) => [t.kind, t.id.slice(0, 8), t.readyState, t.muted ? 'muted' : ''].join(' '))
  const call = globalThis.duet?.call
  // What the element counts, what it shows, and whether that changes within a second.
  const shown = async () => {
    const canvas = new OffscreenCanvas(32, 24), context = canvas.getContext('2d')
    context.drawImage(video, 0, 0, 32, 24)
    const sum = context.getImageData(0, 0, 32, 24).data.reduce((a, v, i) => (a * 31 + v * i) % 1000003, 7)
    const quality = video.getVideoPlaybackQuality()
    return ['total', quality.totalVideoFrames, 'dropped', quality.droppedVideoFrames, 'at', video.currentTime.toFixed(2), 'picture', sum].join(' ')
  }
  if (video?.srcObject) {
    all.push(await shown())
    await new Promise((done) => setTimeout(done, 1000))
    all.push(await shown())
  }
  all.push(['call', call?.phase, call?.state, call?.path?.path, 'video', video?.paused ? 'paused' : 'plays', video?.currentTime, ...tracks].join(' | '))
  for (const pc of __duet.all) {
    const lines = [[pc.signalingState, pc.iceConnectionState, pc.connectionState].join(' ')]
    if (pc.connectionState === 'closed') { // Firefox tells nothing more of it
      all.push(lines[0])
      continue
    }
    for (const url of (pc.getConfiguration().iceServers ?? []).flatMap((s) => s.urls)) lines.push(url)
    for (const [side, d] of [['ours', pc.localDescription], ['theirs', pc.remoteDescription]]) {
      for (const l of d?.sdp.matchAll(/^a=(candidate:.*|ice-ufrag:.*)$/gm) ?? []) lines.push(side + ' ' + l[1].trim())
    }
    const report = await pc.getStats()
    const selected = [...report.values()].find((s) => s.type === 'transport')?.selectedCandidatePairId
    const end = (id) => { const c = report.get(id); return c ? [c.candidateType, c.relayProtocol ?? c.protocol, c.address, c.port].join(' ') : '?' }
    for (const s of report.values()) {
      if (s.type !== 'candidate-pair') continue
      lines.push([s.id === selected ? 'SELECTED' : '', end(s.localCandidateId), '->', end(s.remoteCandidateId), s.state, s.nominated ? 'nominated' : '',
        'sent', s.requestsSent, 'answered', s.responsesReceived, 'received', s.requestsReceived, 'bytes', s.bytesSent, s.bytesReceived].join(' '))
    }
    for (const s of report.values()) {
      if (s.type === 'inbound-rtp' && s.kind === 'video') lines.push(['decoded', s.framesDecoded, 'of', s.framesReceived, 'key', s.keyFramesDecoded, 'pli', s.pliCount, 'track', s.trackIdentifier?.slice(0, 8)].join(' '))
      if (s.type === 'outbound-rtp' && s.kind === 'video') lines.push(['encoded', s.framesEncoded, 'sent', s.framesSent, 'key', s.keyFramesEncoded, 'pli', s.pliCount, s.active ? '' : 'inactive'].join(' '))
    }
    all.push(lines.join('\n'))
  }
  return all
})()`
