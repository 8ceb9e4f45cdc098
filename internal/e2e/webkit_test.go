//go:build linux

package e2e

// The page in WebKit: what needs no connection, and a call over a stand-in for it.

import (
	_ "embed"
	"os"
	"testing"
)

//go:embed standin.js
var standIn string

// wrong gathers what the page throws, for a driver that does not tell.
const wrong = `window.__wrong = []
addEventListener("error", ({ message }) => window.__wrong.push(message))
addEventListener("unhandledrejection", ({ reason }) => window.__wrong.push(String(reason)))
addEventListener("securitypolicyviolation", ({ blockedURI, violatedDirective }) => window.__wrong.push(violatedDirective + " " + blockedURI))
const real = console.error
console.error = (...all) => { window.__wrong.push(all.join(" ")); real(...all) }`

func (b *Browser) nothingWrong() {
	b.t.Helper()
	for _, one := range JS[[]string](b, "window.__wrong") {
		b.t.Errorf("%s: the page is not well: %s", b.Name, one)
	}
}

// seldomWell leaves these tests to those who look at what comes of them: WebKitGTK 2.50's page process ends by itself in one run of
// five, with and without a call.
func seldomWell(t *testing.T) {
	t.Helper()
	if os.Getenv("DUET_TEST_ALL") == "" {
		t.Skip("WebKitGTK crashes now and then: DUET_TEST_ALL=1")
	}
}

// TestWebKitCannotCall: a browser without WebRTC says so and can still be here.
func TestWebKitCannotCall(t *testing.T) {
	seldomWell(t)
	script := axe(t)
	s := StartServer(t)
	alice := StartWebKit(t, s, "alice", BrowserOptions{Scripts: []string{wrong}})
	alice.Open("")
	alice.Eventually("the page says that this browser cannot call", patience, func() bool { return alice.Visible("login-unable") })
	alice.look("webkit-unable", "en", script)
	alice.Login("virtual")
	alice.look("webkit-empty", "en", script)
	alice.Open("?again")
	alice.Eventually("a reload goes on", patience, func() bool { return alice.Visible("user-list") && alice.Text("my-name") == "alice" })
	alice.nothingWrong()
}

// TestWebKitCall: the screens of a call, over a stand-in. That its picture moves is not asked: that is the stand-in's affair.
func TestWebKitCall(t *testing.T) {
	seldomWell(t)
	script := axe(t)
	s := StartServer(t)
	o := BrowserOptions{Scripts: []string{wrong, standIn}}
	alice, bob := StartWebKit(t, s, "alice", o), StartWebKit(t, s, "bob", o)
	for _, b := range []*Browser{alice, bob} {
		b.Open("")
		b.Login("virtual")
	}
	alice.Call("bob")
	bob.Eventually("it rings", patience, func() bool { return bob.Visible("incoming-dialog") })
	bob.look("webkit-incoming", "en", script)
	bob.Click("accept")
	for _, b := range []*Browser{alice, bob} {
		b.Eventually("the call is up", patience, func() bool { return JS[bool](b, "duet.call?.state === 'connected'") })
	}
	alice.look("webkit-call", "en", script)
}
