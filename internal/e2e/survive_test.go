//go:build linux

package e2e

// A call outlives its signaling: a cut socket, a dead one, a server that crashed.

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// longestGap is how long pictures may stand still when nothing happens to the media.
const longestGap = 300 * time.Millisecond

// steady measures a while in which nothing happens: on a machine that is busy with other things pictures stand still by
// themselves, and that is not held against what follows.
func steady(both ...*Browser) time.Duration {
	for _, b := range both {
		b.WatchPicture()
	}
	for _, b := range both {
		b.Sees(45)
	}
	worst := time.Duration(0)
	for _, b := range both {
		gap, _ := b.PictureGap()
		worst = max(worst, gap)
	}
	for _, b := range both {
		b.WatchPicture()
	}
	return max(longestGap, 2*worst)
}

func noGap(t *testing.T, limit time.Duration, both ...*Browser) {
	t.Helper()
	for _, b := range both {
		gap, byClock := b.PictureGap()
		t.Logf("%s: the longest gap between pictures was %v (by the clock %v)", b.Name, gap.Round(time.Millisecond), byClock.Round(time.Millisecond))
		if gap > limit {
			t.Errorf("%s: no new picture for %v, want at most %v", b.Name, gap, limit)
		}
	}
}

// stillTalking shows that signaling works in the call: what one does, the other is told.
func stillTalking(t *testing.T, alice, bob *Browser) {
	t.Helper()
	bob.Click("toggle-audio")
	alice.Eventually("alice is told that bob's microphone is off", patience, func() bool { return alice.Visible("peer-muted") })
	alice.Stops("sound", audioEnergy)
	bob.Click("toggle-audio")
	alice.Eventually("alice is told that bob's microphone is on", patience, func() bool { return !alice.Visible("peer-muted") })
	alice.Hears()
	alice.Click("hang-up")
	for _, b := range []*Browser{alice, bob} {
		b.Eventually("the call is over", patience, func() bool { return !b.InCall() })
	}
}

// TestServerLostInCall: a crash, and an operator's restart.
func TestServerLostInCall(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(*Server)
	}{
		{"killed", (*Server).Kill},
		{"restarted", (*Server).Stop},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := StartServer(t)
			alice := StartBrowser(t, s, "alice", BrowserOptions{})
			bob := StartBrowser(t, s, "bob", BrowserOptions{})
			connect(alice, bob, "?path=direct")
			alice.Sees(10)
			bob.Sees(10)
			limit := steady(alice, bob)
			tc.end(s)
			alice.Sees(20)
			bob.Sees(20)
			s.Restart()
			for _, b := range []*Browser{alice, bob} {
				b.Eventually("the page is back at the server", patience, func() bool { return b.Online() })
				b.Sees(30)
			}
			noGap(t, limit, alice, bob)
			stillTalking(t, alice, bob)
		})
	}
}

// TestServerKilledInRelay: the relay dies with the server, and the call sets it up again by itself.
func TestServerKilledInRelay(t *testing.T) {
	s := StartServer(t, "relay.mode=always")
	alice := StartBrowser(t, s, "alice", BrowserOptions{})
	bob := StartBrowser(t, s, "bob", BrowserOptions{})
	connect(alice, bob, "")
	alice.Sees(10)
	bob.Sees(10)
	s.Kill()
	s.Restart()
	for _, b := range []*Browser{alice, bob} {
		b.Sees(10)
		b.Hears()
		b.Eventually("the path is the relay again", patience, func() bool { return b.Path() == "relay" })
	}
	stillTalking(t, alice, bob)
}

// TestBrowserKilledInRelay: of a call whose one end dies the server keeps nothing, neither a room nor a goroutine.
func TestBrowserKilledInRelay(t *testing.T) {
	for name, other := range map[string]func(testing.TB, *Server, string, BrowserOptions) *Browser{"Chromium": StartBrowser, "Firefox": StartFirefox} {
		t.Run(name, func(t *testing.T) {
			admin := net.JoinHostPort("127.0.0.1", freePort(t))
			s := StartServer(t, "relay.mode=always", "signaling.resume_grace=2s", "http.admin_listen="+admin)
			alice, bob := StartBrowser(t, s, "alice", BrowserOptions{}), other(t, s, "bob", BrowserOptions{})
			alice.Open("")
			alice.Login("camera")
			idle := metric(t, admin, "go_goroutines")
			bob.Open("")
			bob.Login("camera")
			alice.Call("bob")
			bob.Accept()
			alice.Sees(10)
			bob.Sees(10)
			if calls, legs := metric(t, admin, "duet_relay_calls"), metric(t, admin, `duet_relay_legs{path="plane"}`); calls != 1 || legs != 2 {
				t.Errorf("%v calls and %v legs in the relay, want 1 and 2", calls, legs)
			}
			bob.Kill()
			alice.Eventually("the call is over", patience, func() bool { return !alice.InCall() })
			alice.Eventually("the relay is empty", patience, func() bool {
				return metric(t, admin, "duet_relay_calls") == 0 && metric(t, admin, `duet_relay_legs{path="plane"}`) == 0
			})
			alice.Eventually("there are no more goroutines than before", patience, func() bool { return metric(t, admin, "go_goroutines") <= idle })
		})
	}
}

// metric reads a value from the server's metrics.
func metric(t *testing.T, admin, name string) float64 {
	t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func TestSocketLost(t *testing.T) {
	for _, tc := range []struct {
		name string
		lose func(*Cable)
	}{
		{"cut", (*Cable).Cut},
		{"dead", (*Cable).Deaden},
	} {
		t.Run(tc.name+" in a call", func(t *testing.T) {
			s := StartServer(t)
			cable := NewCable(t, s)
			alice := StartBrowser(t, s, "alice", BrowserOptions{URL: cable.URL})
			bob := StartBrowser(t, s, "bob", BrowserOptions{})
			connect(alice, bob, "?path=direct")
			alice.Sees(10)
			bob.Sees(10)
			limit := steady(alice, bob)
			tc.lose(cable)
			alice.Eventually("the page says that it is not connected", patience, func() bool { return !alice.Online() })
			cable.Mend()
			alice.Eventually("the page is back at the server", patience, func() bool { return alice.Online() })
			noGap(t, limit, alice, bob)
			stillTalking(t, alice, bob)
		})
	}
	t.Run("cut while it rings", func(t *testing.T) {
		s := StartServer(t)
		cable := NewCable(t, s)
		alice := StartBrowser(t, s, "alice", BrowserOptions{URL: cable.URL})
		bob := StartBrowser(t, s, "bob", BrowserOptions{})
		alice.Open("")
		bob.Open("")
		alice.Login("virtual")
		bob.Login("virtual")
		alice.Call("bob")
		bob.Eventually("it rings", patience, func() bool { return bob.Visible("incoming-dialog") })
		cable.Cut()
		bob.Accept() // which alice cannot hear of
		cable.Mend()
		alice.Sees(10)
		bob.Sees(10)
		alice.Click("hang-up")
		bob.Eventually("the call is over", patience, func() bool { return !bob.InCall() })
	})
}
