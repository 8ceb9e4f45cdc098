//go:build linux

package e2e

// Whole calls, as two people make them.

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"testing"
	"time"
)

// scenario is one way for media to take, and what makes it the only one.
type scenario struct {
	name     string
	settings []string
	query    string
	scripts  func(*Server) []string
	path     string
	protocol string // between a browser and TURN
	flags    func(*testing.T, *Server) map[string]any
	stubborn bool // bob's browser sends although bob has muted
	pictures bool // save screenshots
}

var scenarios = []scenario{
	{name: "direct", path: "direct", pictures: true},
	{name: "turn over udp", path: "turn", query: "?path=turn", protocol: "udp",
		scripts: func(*Server) []string { return []string{turnOver("udp")} }},
	{name: "turn over tcp", path: "turn", query: "?path=turn", protocol: "tcp",
		scripts: func(*Server) []string { return []string{turnOver("tcp")} }},
	{name: "turn over the page's own port", path: "turn", query: "?path=turn", protocol: "tcp",
		scripts: func(s *Server) []string {
			return []string{turnAt("turn:" + net.JoinHostPort(Host(), s.HTTPPort) + "?transport=tcp")}
		}},
	{name: "turn over tls on the page's own port", path: "turn", query: "?path=turn", protocol: "tls",
		settings: []string{"http.tls_listen={tls}", "http.self_signed=true"},
		scripts: func(s *Server) []string {
			return []string{turnAt("turns:" + net.JoinHostPort(Host(), s.TLSPort) + "?transport=tcp")}
		},
		flags: func(t *testing.T, s *Server) map[string]any {
			return map[string]any{"ignore-certificate-errors-spki-list": keyOf(t, net.JoinHostPort(Host(), s.TLSPort))}
		}},
	{name: "relay always", path: "relay", settings: []string{"relay.mode=always"}, stubborn: true},
	{name: "relay as fallback", path: "relay", settings: []string{"relay.fallback_after=2s"},
		scripts: func(s *Server) []string { return []string{onlyPort(s.relayPort())} }},
	{name: "relay on TURN's port", path: "relay", settings: []string{"relay.fallback_after=2s", "relay.listen={turn}"},
		scripts: func(s *Server) []string { return []string{onlyPort(s.relayPort())} }},
}

// TestCall is the whole of a call, from login to hanging up, on each path.
func TestCall(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) { sc.run(t) })
	}
}

func (sc scenario) run(t *testing.T) {
	s := StartServer(t, sc.settings...)
	var scripts []string
	if sc.scripts != nil {
		scripts = sc.scripts(s)
	}
	o := BrowserOptions{Scripts: scripts}
	if sc.flags != nil {
		o.Flags = sc.flags(t, s)
	}
	alice := StartBrowser(t, s, "alice", o)
	if sc.stubborn {
		o.Scripts = append(o.Scripts, keepsSending)
	}
	bob := StartBrowser(t, s, "bob", o)
	both := []*Browser{alice, bob}

	alice.Open(sc.query)
	bob.Open(sc.query)
	if sc.pictures {
		alice.Shot("login")
	}
	alice.Login("camera")
	if sc.stubborn {
		bob.Login("camera") // the virtual picture stands still when its page no longer draws it
	} else {
		bob.Login("virtual")
	}
	if sc.pictures {
		bob.Eventually("alice is in the list", patience, func() bool { return JS[bool](bob, "!!document.querySelector('"+row("alice")+"')") })
		bob.Shot("list")
	}
	alice.Call("bob")
	if sc.pictures {
		bob.Eventually("it rings", patience, func() bool { return bob.Visible("incoming-dialog") })
		alice.Shot("calling")
		bob.Shot("ringing")
	}
	bob.Accept()

	for _, b := range both {
		b.Eventually("media takes the path "+sc.path, patience, func() bool { return b.Path() == sc.path })
		b.Sees(10)
		b.Hears()
		b.Eventually("the page tells the path that getStats tells", patience, func() bool { return b.ShownPath() == b.Path() })
		if shown := b.ShownPath(); shown != sc.path {
			t.Errorf("%s: the page shows the path %q, want %q", b.Name, shown, sc.path)
		}
		if sc.protocol != "" {
			for _, st := range b.Stats() {
				if st.State == "connected" && (st.Local == nil || st.Local.Type != "relay" || st.Local.RelayProtocol != sc.protocol) {
					t.Errorf("%s: the local candidate is %+v, want one of TURN over %s", b.Name, st.Local, sc.protocol)
				}
			}
		}
	}
	if sc.pictures {
		alice.Shot("call-alice")
		bob.Shot("call-bob")
	}
	sc.mute(t, alice, bob, sc.stubborn)
	sc.mute(t, bob, alice, false)

	alice.Click("hang-up")
	for _, b := range both {
		b.Eventually("the call is over", patience, func() bool { return !b.InCall() && len(b.Stats()) == 0 })
	}
	if sc.pictures {
		bob.Shot("after")
	}
}

// mute: one switches picture and sound off and on again, and the other sees and hears just that.
func (sc scenario) mute(t *testing.T, other, one *Browser, stubborn bool) {
	one.Click("toggle-video")
	if sc.path == "relay" {
		other.Stops("picture data", videoBytes)
	}
	other.Stops("pictures", frames)
	if stubborn {
		stillSends(one, "pictures", func(f Flow) int { return f.OutFrames })
	}
	if sc.pictures {
		other.Shot(other.Name + "-peer-video-off")
	}
	other.Hears()
	before := other.Flow().Frames
	one.Click("toggle-video")
	clicked := time.Now()
	other.Eventually("a picture comes back", patience, func() bool { return other.Flow().Frames > before })
	back := time.Since(clicked)
	t.Logf("%s: %s's picture was back after %v", sc.name, one.Name, back.Round(10*time.Millisecond))
	if back > time.Second {
		t.Errorf("%s: %s's picture was back only after %v", sc.name, one.Name, back)
	}
	other.Sees(5)

	one.Click("toggle-audio")
	if sc.path == "relay" {
		other.Stops("sound data", audioBytes)
	} else {
		other.Stops("sound", audioEnergy)
	}
	if stubborn {
		stillSends(one, "sound", func(f Flow) int { return f.OutAudioBytes })
	}
	other.Sees(5)
	one.Click("toggle-audio")
	other.Hears()
}

// stillSends shows that the other side's silence is not the sender's doing.
func stillSends(b *Browser, what string, number func(Flow) int) {
	b.t.Helper()
	first := number(b.Flow())
	b.Eventually("it still sends "+what, patience, func() bool { return number(b.Flow()) > first })
}

// TestMuteBeforeRelay: what was switched off before the relay came in stays off in it.
func TestMuteBeforeRelay(t *testing.T) {
	s := StartServer(t, "relay.fallback_after=3s")
	only := onlyPort(s.relayPort())
	alice := StartBrowser(t, s, "alice", BrowserOptions{Scripts: []string{only}})
	bob := StartBrowser(t, s, "bob", BrowserOptions{Scripts: []string{only, keepsSending}})
	connect(alice, bob, "")
	bob.Click("toggle-video")
	alice.Hears()
	stillSends(bob, "pictures", func(f Flow) int { return f.OutFrames })
	if n := alice.Flow().VideoBytes; n != 0 {
		t.Errorf("%d bytes of picture reached alice though bob's picture was off before the relay started", n)
	}
	bob.Click("toggle-video")
	alice.Sees(10)
	if p := alice.Path(); p != "relay" {
		t.Errorf("the path is %q, want relay", p)
	}
}

// connect has a call up to its acceptance.
func connect(alice, bob *Browser, query string) {
	alice.t.Helper()
	alice.Open(query)
	bob.Open(query)
	alice.Login("camera")
	bob.Login("camera")
	alice.Call(bob.Name)
	bob.Accept()
}

// TestWithoutCamera: no camera, or no leave to use it, is no reason not to be seen.
func TestWithoutCamera(t *testing.T) {
	for _, tc := range []struct {
		name string
		o    BrowserOptions
	}{
		{"no devices", BrowserOptions{NoDevices: true}},
		{"permission refused", BrowserOptions{Refuse: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := StartServer(t)
			alice := StartBrowser(t, s, "alice", BrowserOptions{})
			bob := StartBrowser(t, s, "bob", tc.o)
			connect(alice, bob, "")
			alice.Sees(10)
			alice.Grows("bytes of sound, though silent", 100, audioBytes)
			bob.Sees(10)
			bob.Hears()
			bob.Eventually("bob sees the picture that others see of him", patience, func() bool {
				return JS[int](bob, "document.querySelector('[data-testid=local-video]').videoWidth") > 0
			})
			if tc.o.Refuse { // Chromium leaves out only the camera
				alice.Eventually("alice is told why she does not hear bob", patience, func() bool {
					return alice.Text("peer-muted") == "bob's browser may not use the microphone"
				})
				alice.Shot("call-unheard")
			}
			bob.Shot("call-" + map[bool]string{true: "refused", false: "no-devices"}[tc.o.Refuse])
			bob.Click("hang-up")
			for _, b := range []*Browser{alice, bob} {
				b.Eventually("the call is over", patience, func() bool { return !b.InCall() })
			}
		})
	}
}

// TestRefuse: a call that is not taken ends at both, and the caller can call again.
func TestRefuse(t *testing.T) {
	s := StartServer(t)
	alice := StartBrowser(t, s, "alice", BrowserOptions{})
	bob := StartBrowser(t, s, "bob", BrowserOptions{Language: "zh-CN"})
	alice.Open("")
	bob.Open("")
	bob.Shot("login-chinese")
	alice.Login("virtual")
	bob.Login("virtual")
	alice.Call("bob")
	bob.Eventually("it rings", patience, func() bool { return bob.Visible("incoming-dialog") })
	bob.Shot("ringing-chinese")
	bob.Click("refuse")
	alice.Eventually("alice hears that bob refused", patience, func() bool { return !alice.InCall() })
	alice.Shot("refused")
	bob.Eventually("the dialog is gone", patience, func() bool { return !bob.Visible("incoming-dialog") })
	alice.Call("bob")
	bob.Accept()
	alice.Sees(5)
	bob.Sees(5)
	bob.Shot("call-chinese")
}

// TestReload: a page that is loaded anew goes on with its call, muted as it was, and out of a call its user is there again.
func TestReload(t *testing.T) {
	s := StartServer(t)
	alice := StartBrowser(t, s, "alice", BrowserOptions{})
	bob := StartBrowser(t, s, "bob", BrowserOptions{})
	connect(alice, bob, "")
	alice.Sees(10)
	bob.Click("toggle-audio")
	bob.Open("?again")
	bob.Eventually("bob is in the call again", patience, bob.InCall)
	alice.Sees(10)
	bob.Sees(10)
	if pressed := JS[string](bob, "document.querySelector('[data-testid=toggle-audio]').ariaPressed"); pressed != "true" {
		t.Errorf("bob had muted, and is not any more: %q", pressed)
	}
	if alice.Visible("incoming-dialog") || !alice.InCall() {
		t.Error("alice is not in the call that she was in")
	}
	bob.Click("hang-up")
	alice.Eventually("the call is over", patience, func() bool { return !alice.InCall() })
	bob.Open("?again")
	bob.Eventually("bob is there again", patience, func() bool { return bob.Visible("user-list") })
	bob.Call("alice")
	alice.Accept()
	alice.Sees(10)
	bob.Sees(10)
}

// TestTyping: whoever types when a call comes in does not answer it by that, and the keyboard is never lost.
func TestTyping(t *testing.T) {
	s := StartServer(t)
	alice := StartBrowser(t, s, "alice", BrowserOptions{})
	bob := StartBrowser(t, s, "bob", BrowserOptions{})
	for _, b := range []*Browser{alice, bob} {
		b.Open("")
		b.Login("virtual")
	}
	focus := func(b *Browser) string {
		return JS[string](b, "document.activeElement.dataset.testid ?? document.activeElement.id")
	}
	alice.Call("bob")
	bob.Eventually("it rings", patience, func() bool { return bob.Visible("incoming-dialog") })
	bob.step("type", func(ctx context.Context) error { return bob.page.keys(ctx, "is anna here  \r\r today") })
	if !bob.Visible("incoming-dialog") || focus(bob) != "incoming-title" {
		t.Errorf("bob typed, and the call is answered; the focus is on %q", focus(bob))
	}
	if at := focus(alice); at != "hang-up" {
		t.Errorf("alice has called, and her focus is on %q, want hang-up", at)
	}
	alice.step("cancel by a key", func(ctx context.Context) error { return alice.page.keys(ctx, "\r") })
	alice.Eventually("the focus is back on the button that called", patience, func() bool { return focus(alice) == "call" })
	if at := focus(bob); at == "" {
		t.Errorf("bob's focus is lost")
	}
}

// TestBothCall: whoever is first, both are in one call.
func TestBothCall(t *testing.T) {
	s := StartServer(t)
	alice := StartBrowser(t, s, "alice", BrowserOptions{})
	bob := StartBrowser(t, s, "bob", BrowserOptions{})
	both := []*Browser{alice, bob}
	for _, b := range both {
		b.Open("")
		b.Login("virtual")
	}
	for i, b := range both {
		b.Eventually("the other is in the list", patience, func() bool { return b.sees(row(both[1-i].Name) + " " + testID("call")) })
	}
	// At the same moment: from the page's own clocks, which are the machine's.
	at := JS[float64](alice, "Date.now() + 1500")
	for i, b := range both {
		JS[bool](b, fmt.Sprintf("(setTimeout(() => document.querySelector('%s %s').click(), %f - Date.now()), true)", row(both[1-i].Name), testID("call"), at))
	}
	// A page that was rung before it had called shows who is calling.
	<-time.After(1500 * time.Millisecond)
	for _, b := range both {
		b.Eventually("a call, or the question", patience, func() bool { return b.InCall() || b.Visible("incoming-dialog") })
	}
	for _, b := range both {
		if b.Visible("incoming-dialog") {
			b.Click("accept")
		}
	}
	for _, b := range both {
		b.Sees(10)
	}
	alice.Click("hang-up")
	bob.Eventually("the call is over", patience, func() bool { return !bob.InCall() })
}

// keyOf is the hash of a server's public key, by which Chromium can be told to trust it, for pages and for TURN.
func keyOf(t *testing.T, addr string) string {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sum := sha256.Sum256(c.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}
