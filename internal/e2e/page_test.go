//go:build linux

package e2e

// The telephone around the call: what the page shows and does besides the media.

import (
	"context"
	"strings"
	"testing"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// freeze stops the page as a phone does with those behind the one in front, or lets it go on.
func (b *Browser) freeze(on bool) {
	b.t.Helper()
	state := cdppage.SetWebLifecycleStateStateActive
	if on {
		state = cdppage.SetWebLifecycleStateStateFrozen
	}
	b.step("freeze or thaw", func(ctx context.Context) error {
		ctx, cancel := b.page.(chromium).during(ctx)
		defer cancel()
		_, err := chromedp.Call(ctx, cdppage.SetWebLifecycleState, cdppage.SetWebLifecycleStateParams{State: state})
		return err
	})
}

// TestFrozen: a page that the browser has stopped does not ring, whatever its connection does; when it goes on, it does.
func TestFrozen(t *testing.T) {
	s := StartServer(t)
	alice := StartBrowser(t, s, "alice", BrowserOptions{})
	bob := StartBrowser(t, s, "bob", BrowserOptions{})
	for _, b := range []*Browser{alice, bob} {
		b.Open("")
		b.Login("virtual")
	}
	alice.Eventually("bob is in the list", patience, func() bool { return alice.sees(row("bob")) })
	bob.freeze(true)
	alice.Call("bob")
	alice.Eventually("alice is told that bob's page does not answer", patience, func() bool {
		return alice.Text("status") == "bob's page does not answer: it may be asleep. Still calling…"
	})
	alice.Shot("calling-asleep")
	bob.freeze(false)
	alice.Eventually("it rings", patience, func() bool { return alice.Text("status") == "Ringing at bob…" })
	bob.Accept()
	alice.Sees(5)
}

// TestPreview: before joining one sees and hears oneself and chooses devices, which are kept for the next visit; a call may
// be joined and answered with sound only.
func TestPreview(t *testing.T) {
	s := StartServer(t)
	alice := StartBrowser(t, s, "alice", BrowserOptions{Flags: map[string]any{"use-fake-device-for-media-stream": "device-count=2"}})
	bob := StartBrowser(t, s, "bob", BrowserOptions{})
	const values = "[...document.querySelectorAll('[data-testid=choose-camera] option')].map((o) => o.value)"
	const chosen = "document.querySelector('[data-testid=choose-camera]').value"
	opened := func() {
		alice.Click("try-out")
		alice.Eventually("there are two cameras to choose from", patience, func() bool { return len(JS[[]string](alice, values)) == 2 })
	}
	alice.Open("")
	opened()
	alice.Eventually("the meter follows the microphone", patience, func() bool {
		return JS[float64](alice, "+document.querySelector('[data-testid=level]').ariaValueNow") > 10
	})
	alice.Eventually("alice sees herself", patience, func() bool {
		return JS[int](alice, "document.querySelector('.preview').videoWidth") > 2
	})
	other := JS[string](alice, values+".find((id) => id !== "+chosen+")")
	JS[bool](alice, "(() => { const e = document.querySelector('[data-testid=choose-camera]'); e.value = '"+other+"'; return e.dispatchEvent(new Event('change')) })()")
	sends := "document.querySelector('.preview').srcObject.getVideoTracks()[0]?.getSettings().deviceId ?? ''"
	alice.Eventually("the other camera is taken", patience, func() bool { return JS[string](alice, sends) == other })
	alice.Shot("settings")
	alice.Click("settings-check")
	alice.Eventually("all works", patience, func() bool { return strings.Contains(alice.Text("checkup"), "All that a call needs works here.") })
	alice.Shot("checkup")
	alice.Click("checkup-close")
	alice.Click("settings-close")
	alice.Eventually("what was tried is switched off", patience, func() bool { return JS[bool](alice, "!document.querySelector('video').srcObject?.active") })
	alice.Open("?again")
	opened()
	alice.Eventually("the camera is remembered", patience, func() bool { return JS[string](alice, sends) == other && JS[string](alice, chosen) == other })
	alice.Click("settings-close")

	alice.Login("none")
	bob.Open("")
	bob.Login("camera")
	alice.Call("bob")
	bob.Eventually("bob sees how he would be seen", patience, func() bool {
		return JS[int](bob, "document.querySelector('[data-testid=incoming-self]').videoWidth") > 2
	})
	bob.Shot("ringing-sound")
	bob.Click("accept-sound")
	for _, b := range []*Browser{alice, bob} {
		b.Hears()
		if f := b.Flow(); f.Frames > 0 {
			t.Errorf("%s gets %v pictures of a call with sound only", b.Name, f.Frames)
		}
	}
	alice.Shot("call-sound")
}

// TestMissed: a call that one did not hear is in the list, one press calls back, and who cannot talk may say when to call again.
func TestMissed(t *testing.T) {
	s := StartServer(t)
	alice := StartBrowser(t, s, "alice", BrowserOptions{})
	bob := StartBrowser(t, s, "bob", BrowserOptions{})
	for _, b := range []*Browser{alice, bob} {
		b.Open("")
		b.Login("virtual")
	}
	alice.Call("bob")
	bob.Eventually("it rings", patience, func() bool { return bob.Visible("incoming-dialog") })
	alice.Click("hang-up")
	bob.Eventually("the missed call is told", patience, func() bool { return bob.Text("missed") == "1 missed" })
	bob.Open("?again")
	bob.Eventually("it is there after a reload", patience, func() bool { return bob.sees("[data-testid=call-back]") })
	bob.Shot("missed")
	bob.Click("call-back")
	alice.Eventually("it rings", patience, func() bool { return alice.Visible("incoming-dialog") })
	alice.Click("refuse-later")
	bob.Eventually("bob is told when to call again", patience, func() bool {
		return bob.Text("notice") == "alice cannot talk now: call again in 10 minutes."
	})
	bob.Shot("call-again-later")
}

// TestInvited: a link that alice passes on, also as a code, opens ready to ring her.
func TestInvited(t *testing.T) {
	s := StartServer(t)
	alice := StartBrowser(t, s, "alice", BrowserOptions{})
	alice.Open("")
	alice.Login("virtual")
	alice.Click("show-code")
	alice.Eventually("there is a code", patience, func() bool {
		return JS[int](alice, "document.querySelector('[data-testid=invite-code]').naturalWidth") > 20
	})
	alice.Shot("invite")
	bob := StartBrowser(t, s, "bob", BrowserOptions{URL: JS[string](alice, "document.querySelector('[data-testid=invite-link]').value"), Flags: map[string]any{"unsafely-treat-insecure-origin-as-secure": strings.TrimSuffix(s.URL, "/")}})
	bob.Open("")
	bob.Login("none")
	bob.Eventually("bob may ring", patience, func() bool { return bob.sees("[data-testid=dial-invited]:enabled") })
	bob.Shot("invited")
	bob.Click("dial-invited")
	alice.Accept()
	bob.Sees(5)
	alice.Hears()
	bob.click("#path-chip")
	bob.Eventually("the way of the call is drawn, with how well it goes", patience, func() bool {
		return strings.Contains(bob.Text("route"), "ms") && strings.Contains(bob.Text("route"), "kbit/s")
	})
	bob.Shot("route")
	bob.Click("route-close")
	bob.Click("full")
	bob.Eventually("the call has the whole screen", patience, func() bool {
		return JS[bool](bob, "!!document.fullscreenElement && document.querySelector('#stage').clientWidth === innerWidth")
	})
	bob.step("press m", func(ctx context.Context) error { return bob.page.keys(ctx, "m") })
	alice.Eventually("alice is told that bob has muted", patience, func() bool { return alice.Text("peer-muted") == "bob's microphone is off" })
	alice.Stops("sound", audioEnergy)
}
