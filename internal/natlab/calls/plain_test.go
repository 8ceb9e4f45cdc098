//go:build linux

package calls

// A client of others, with one connection and the twelve messages, and a network that is gone for a while.

import (
	_ "embed"
	"strings"
	"testing"
	"time"

	"duet/internal/e2e"
	"duet/internal/natlab"
)

//go:embed plain.js
var plainClient string

// TestPlainClient: what happened to the network, a plain client has the one connection that it began with, and it carries
// as soon as the network does.
func TestPlainClient(t *testing.T) {
	for _, tc := range []struct {
		name        string
		clientCalls bool
		away, watch time.Duration
		long        bool
	}{
		{"the page calls, 3 s without UDP", false, 3 * time.Second, 3 * time.Second, false},
		{"the client calls, 3 s without UDP", true, 3 * time.Second, 40 * time.Second, true},
		{"the page calls, 10 s without UDP", false, 10 * time.Second, 40 * time.Second, true},
		{"the client calls, 10 s without UDP", true, 10 * time.Second, 3 * time.Second, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.long && !all() {
				t.Skip("looks on for long: DUET_TEST_ALL=1")
			}
			w := NewWorld(t, WorldOptions{})
			page := w.Person("page", w.Network(natlab.Home, 0))
			client := w.Person("client", w.Network(natlab.Open, 0)) // it asks no STUN server
			err := w.a.try(func() {
				w.enter(page, "")
				client.Open("favicon.svg")
				e2e.JS[bool](client.Browser, strings.ReplaceAll(plainClient, "$NAME", client.Name))
				if tc.clientCalls {
					e2e.JS[any](client.Browser, "plain.call('page')")
					page.Accept()
				} else {
					page.Call(client.Name)
				}
				plainSees(client, 30)
				page.Sees(30)

				page.Net.Block(natlab.Block{Proto: "udp"})
				<-time.After(tc.away)
				page.Net.Unblock()
				back := time.Now()
				page.Sees(5)
				plainSees(client, 5)
				t.Logf("pictures at both %v after UDP was back", time.Since(back).Round(100*time.Millisecond))
				<-time.After(tc.watch)
				page.Sees(30)
				plainSees(client, 30)
				page.Eventually("the page says that it is in a call", patience, func() bool { return e2e.JS[string](page.Browser, "duet.call?.state") == "connected" })

				made := e2e.JS[int](page.Browser, "__duet.all.filter((one) => one.remoteDescription).length") // the others only look for addresses
				keys := e2e.JS[int](client.Browser, "plain.keys.size")
				faults := e2e.JS[[]string](client.Browser, "plain.faults")
				if made != 1 || keys != 1 || len(faults) != 0 {
					t.Errorf("the page made %d connections and offered %d, want one; faults at the client: %q", made, keys, faults)
				}
			})
			if err != nil {
				t.Errorf("%v\n%s", err, page.story())
			}
		})
	}
}

// plainSees waits until the client has decoded so many more pictures.
func plainSees(p *Person, n int) {
	count := func() int { return e2e.JS[int](p.Browser, "plain.frames()") }
	first := count()
	p.Eventually("pictures at the client", patience, func() bool { return count() >= first+n })
}
