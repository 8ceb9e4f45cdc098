//go:build linux

package e2e

import "testing"

// TestFirefox: a call between browsers of two makers.
func TestFirefox(t *testing.T) {
	for _, tc := range []struct {
		path     string
		settings []string
	}{
		{"direct", nil},
		{"relay", []string{"relay.mode=always"}},
	} {
		t.Run(tc.path, func(t *testing.T) {
			s := StartServer(t, tc.settings...)
			alice := StartBrowser(t, s, "alice", BrowserOptions{})
			bob := StartFirefox(t, s, "bob", BrowserOptions{})
			connect(alice, bob, "")
			for _, b := range []*Browser{alice, bob} {
				b.Eventually("media takes the path "+tc.path, patience, func() bool { return b.Path() == tc.path })
				b.Sees(10)
				b.Hears()
				b.Eventually("the page tells the path", patience, func() bool { return b.ShownPath() == tc.path })
			}
			bob.Click("toggle-video")
			alice.Stops("pictures", frames)
			bob.Click("toggle-video")
			alice.Sees(5)
			bob.Click("hang-up")
			for _, b := range []*Browser{alice, bob} {
				b.Eventually("the call is over", patience, func() bool { return !b.InCall() && len(b.Stats()) == 0 })
			}
		})
	}
}
