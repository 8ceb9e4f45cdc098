//go:build linux

package e2e

// Two people who press anything at any time: whatever they did, both pages agree in the end, and the next call works.

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
)

// scripts is how many are played: each has eight steps.
func scripts() int {
	if os.Getenv("DUET_TEST_ALL") == "" {
		return 4
	}
	return 100
}

// press clicks the element if it can be pressed now; a random person does not wait.
func (b *Browser) press(selector string) bool {
	b.t.Helper()
	return JS[bool](b, `(() => { const e = document.querySelector('`+selector+`'); if (!e?.checkVisibility({ visibilityProperty: true }) || e.disabled) return false; e.click(); return true })()`)
}

// TestRandomUsers: 100 scripts of two people in make test-all.
func TestRandomUsers(t *testing.T) {
	s := StartServer(t)
	people := []*Browser{StartBrowser(t, s, "alice", BrowserOptions{}), StartBrowser(t, s, "bob", BrowserOptions{})}
	for _, b := range people {
		b.Open("")
		b.Login("virtual")
	}
	other := map[*Browser]string{people[0]: "bob", people[1]: "alice"}
	for n := range scripts() {
		random := rand.New(rand.NewPCG(uint64(n), 1))
		var said []string
		for range 8 {
			b := people[random.IntN(2)]
			step := []string{"call", "accept", "accept", "refuse", "hang-up", "toggle-audio", "toggle-video", "toggle-screen", "switch-source", "reload"}[random.IntN(10)]
			done := false
			switch step {
			case "call":
				done = b.press(row(other[b]) + " " + testID("call"))
			case "reload":
				b.Open(fmt.Sprintf("?script=%d", n))
				done = true
			default:
				done = b.press(testID(step))
			}
			said = append(said, fmt.Sprintf("%s %s %v", b.Name, step, done))
		}
		t.Logf("script %d: %v", n, said)
		for _, b := range people {
			b.Eventually("the page is there again", patience, b.Online)
		}
		// Both agree on whether there is a call, and when one ends it, it is over at both.
		people[0].Eventually("both are in a call or neither is", patience, func() bool {
			return people[0].InCall() == people[1].InCall() || people[1].Visible("incoming-dialog") || people[0].Visible("incoming-dialog")
		})
		for _, b := range people {
			b.press(testID("refuse"))
			b.press(testID("hang-up"))
		}
		for _, b := range people {
			b.Eventually("there is no call, and the other can be called", patience, func() bool {
				return !b.InCall() && !b.Visible("incoming-dialog") && b.sees(row(other[b])+" "+testID("call"))
			})
		}
	}
	people[0].Call("bob")
	people[1].Accept()
	for _, b := range people {
		b.Eventually("the call is up", patience, b.InCall)
		b.Eventually("media flows", patience, func() bool { return JS[bool](b, "duet.call?.state === 'connected'") })
	}
}
