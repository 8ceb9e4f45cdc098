//go:build linux

package clients

// The rows of the table: what happens in a call between the page and a client.

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"duet/internal/e2e"
)

// A situation is a row.
type situation struct {
	name  string
	media string            // "both" when empty
	quick bool              // make test has it, too
	needs string            // what a client needs for it, by the words of column.cannot
	run   func(*lab) string // gives what is worth telling of a success, "" for nothing
	ends  bool              // the client or the server is not what it was afterwards
}

// ok is a situation that has nothing to tell.
func ok(run func(*lab)) func(*lab) string {
	return func(l *lab) string { run(l); return "" }
}

// calls are tried on every path.
var calls = []situation{
	{name: "the page calls", quick: true, run: ok(func(l *lab) {
		l.both(true)
		l.says("In a call")
		l.page.Click("hang-up")
		l.ended("hangup")
	})},
	{name: "the client calls", quick: true, run: ok(func(l *lab) {
		l.both(false)
		l.says("In a call")
		l.client.do("end")
		l.idle()
	})},
}

// situations are tried on the direct path.
var situations = append(calls[:len(calls):len(calls)], []situation{
	{name: "the page mutes and unmutes, both kinds", run: ok(func(l *lab) {
		l.both(true)
		for _, m := range []struct {
			toggle string
			on     func(status) bool
			count  func(status) int
		}{
			{"toggle-video", func(s status) bool { return s.Peer.Video }, func(s status) int { return s.Video }},
			{"toggle-audio", func(s status) bool { return s.Peer.Audio }, func(s status) int { return s.Audio }},
		} {
			l.page.Click(m.toggle)
			until(l.t, patience, "the client is told: "+m.toggle, func() bool { return !m.on(l.client.status()) })
			l.page.Click(m.toggle)
			until(l.t, patience, "the client is told again: "+m.toggle, func() bool { return m.on(l.client.status()) })
			before := m.count(l.client.status())
			until(l.t, patience, "it comes again: "+m.toggle, func() bool { return m.count(l.client.status()) > before+3 })
		}
	})},
	{name: "the client mutes and unmutes, both kinds", run: ok(func(l *lab) {
		l.both(true)
		l.client.do("mute video")
		l.page.Stops("pictures", func(f e2e.Flow) float64 { return float64(f.Frames) })
		l.client.do("unmute video")
		l.client.do("mute audio")
		l.page.Grows("pictures", 3, func(f e2e.Flow) float64 { return float64(f.Frames) })
		l.client.do("unmute audio")
		l.flows()
	})},
	{name: "an outage of 3 s", run: func(l *lab) string { return l.outage(3 * time.Second) }},
	{name: "an outage of 10 s", run: func(l *lab) string { return l.outage(10 * time.Second) }},
	{name: "the page's address changes", run: func(l *lab) string {
		l.both(true)
		l.homes[0].move()
		return back(l.flows())
	}},
	{name: "a data channel beside media", media: "both data", run: ok(func(l *lab) {
		l.both(false)
		l.says("In a call")
	})},
	{name: "a data channel alone", media: "data", run: ok(func(l *lab) {
		l.ring(false)
		until(l.t, patience, "the client is connected", func() bool { return l.client.status().State == "connected" })
		l.quiet()
	})},
	{name: "the client receives only", media: "receive", run: ok(func(l *lab) {
		l.ring(false)
		before := l.client.status()
		until(l.t, patience, "sound and pictures at the client", func() bool {
			s := l.client.status()
			return s.Audio > before.Audio+10 && s.Video > before.Video+3
		})
		l.quiet()
	})},
	{name: "the client stands still for 5 s (SIGSTOP)", needs: "process", run: func(l *lab) string {
		l.both(true)
		l.client.signal(syscall.SIGSTOP)
		<-time.After(5 * time.Second)
		l.client.signal(syscall.SIGCONT)
		return back(l.flows())
	}},
	{name: "the client is killed (SIGKILL)", needs: "process", ends: true, run: ok(func(l *lab) {
		l.both(true)
		l.client.signal(syscall.SIGKILL)
		until(l.t, patience, "the page's call ends", func() bool { return !l.page.InCall() })
	})},
	{name: "the server is killed and starts again", ends: true, run: ok(func(l *lab) {
		l.both(true)
		l.server.Kill()
		l.server.Restart()
		until(l.t, patience, "the client joins again", func() bool { return l.client.status().Joined })
		until(l.t, patience, "both are idle, and see each other", func() bool {
			return !l.page.InCall() && l.page.Online() && e2e.JS[bool](l.page, `document.querySelector('[data-testid="user-row"][data-username="`+l.client.name+`"][data-status="available"]') !== null`)
		})
		l.both(true)
	})},
}...)

// long is a call past the clocks of TURN: permissions, channels, refreshes.
var long = situation{name: "ten minutes", run: ok(func(l *lab) {
	l.both(true)
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); {
		l.flows()
		<-time.After(5 * time.Second)
	}
})}

// ended waits until the client has heard of the end, and why.
func (l *lab) ended(reason string) {
	l.t.Helper()
	until(l.t, patience, "the client is told of the end", func() bool { s := l.client.status(); return s.Call == "none" && s.Ended == reason })
	l.idle()
}

// outage cuts the page's UDP in a call, and tells how soon media is back.
func (l *lab) outage(d time.Duration) string {
	l.t.Helper()
	l.both(true)
	l.homes[0].outage(d)
	after := l.flows()
	l.says("In a call")
	// A call that came back stays: what was tried beside it ends, within half a minute.
	for end := time.Now().Add(35 * time.Second); time.Now().Before(end); {
		l.flows()
		<-time.After(2 * time.Second)
	}
	return back(after)
}

func back(d time.Duration) string { return fmt.Sprintf("media after %.1f s", d.Seconds()) }

// quiet holds the page to a call in which nothing comes that could: it is connected, directly, and blames nobody.
func (l *lab) quiet() {
	l.t.Helper()
	l.says("In a call")
	<-time.After(12 * time.Second) // longer than the page waits before it asks for the relay
	if text := l.page.Text("status"); !strings.HasPrefix(text, "In a call") {
		l.t.Fatalf("12 s later the page says %q", text)
	}
	if path := l.page.ShownPath(); path != "direct" {
		l.t.Fatalf("12 s later the page shows the path %q", path)
	}
}
