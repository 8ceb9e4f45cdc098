//go:build linux

package e2e

import (
	"net"
	"os"
	"strconv"
	"testing"
)

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
			if tc.path == "direct" {
				moves(alice, bob)
			}
			bob.Click("hang-up")
			for _, b := range []*Browser{alice, bob} {
				b.Eventually("the call is over", patience, func() bool { return !b.InCall() && len(b.Stats()) == 0 })
			}
		})
	}
}

// moves takes the call to the relay and back, and sees that the pictures on both pages go on.
func moves(alice, bob *Browser) {
	for _, to := range []string{"relay", "direct"} {
		JS[any](alice, "duet.call.useRelay("+strconv.FormatBool(to == "relay")+")")
		for _, b := range []*Browser{alice, bob} {
			b.Eventually("media takes the path "+to, patience, func() bool { return b.Path() == to })
			b.Shows(5)
		}
	}
}

// TestFirefoxOverTURN: Firefox binds no channel, but sends indications. Its packets go around the library as others do, with
// another Firefox and with Chromium, which does bind channels. (Over TLS: internal/natlab/calls.)
func TestFirefoxOverTURN(t *testing.T) {
	cases := []struct {
		name  string
		other func(testing.TB, *Server, string, BrowserOptions) *Browser
	}{
		{"with Firefox", StartFirefox},
		{"with Chromium", StartBrowser},
	}
	if os.Getenv("DUET_TEST_ALL") == "" {
		cases = cases[:1]
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			admin := net.JoinHostPort("127.0.0.1", freePort(t))
			s := StartServer(t, "http.admin_listen="+admin)
			o := BrowserOptions{Scripts: []string{turnOver("udp")}}
			alice, bob := StartFirefox(t, s, "alice", o), tc.other(t, s, "bob", o)
			both := []*Browser{alice, bob}
			connect(alice, bob, "?path=turn")
			for _, b := range both {
				b.Eventually("media takes the path turn", patience, func() bool { return b.Path() == "turn" })
				b.Sees(10)
				b.Hears()
			}
			count := func(path string) float64 {
				return metric(t, admin, `duet_turn_packets_total{direction="up",path="`+path+`"}`)
			}
			fast, library := count("fast"), count("library")
			for _, b := range both {
				b.Sees(50)
			}
			if n := count("library") - library; n != 0 {
				t.Errorf("%v packets went through the library", n)
			}
			if n := count("fast") - fast; n < 100 {
				t.Errorf("%v packets went around the library, and 100 pictures came", n)
			}
		})
	}
}
