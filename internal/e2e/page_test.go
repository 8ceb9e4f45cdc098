//go:build linux

package e2e

// The telephone around the call: what the page shows and does besides the media.

import (
	"context"
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
