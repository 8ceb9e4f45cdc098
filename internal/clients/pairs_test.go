//go:build linux

package clients

// Clients that call one another, without a page.

import (
	"os"
	"strings"
	"testing"
	"time"

	"duet/internal/e2e"
)

// pairings are the parts of the table in which a row is a caller, and a column whom it calls.
var pairings = []struct {
	name, option string
	itself       bool // calls of a client with another of its kind only
}{
	{"one another, directly", "direct", false},
	{"one another, TURN over UDP at both ends, nothing else", "udp", true},
	{"one another, the relay", "relay", true},
}

// TestPairs: each client calls each other, and both count what comes. make test has none of it: the robots of the examples
// do the same.
func TestPairs(t *testing.T) {
	if !canMakeHomes() {
		t.Skip("needs root, or a kernel that lets users make network namespaces")
	}
	if os.Getenv("DUET_TEST_ALL") == "" {
		t.Skip("takes ten minutes: DUET_TEST_ALL=1")
	}
	drivers := withModules(t, "drivers")
	all := columns(t)
	table := readTable(t, all)
	for _, p := range pairings {
		for _, from := range all {
			for _, to := range all {
				if from.browser != nil || to.browser != nil || p.itself && from.name != to.name {
					continue
				}
				t.Run(p.name+"/"+from.name+"/"+to.name, func(t *testing.T) {
					a := &attempt{TB: t}
					w := &work{t: a, column: to, path: path{name: p.name}}
					c := cell{sign: "–"}
					cannot := false
					if c.why, cannot = w.cannot(situation{}); !cannot {
						var ends [2]*client
						if fault := a.try(func() { ends = pair(a, from, to, drivers, p.option) }); fault != "" {
							a.clear()
							t.Fatal(fault)
						}
						fault := a.try(func() { meet(a, ends[0], ends[1]) })
						if more := a.clear(); fault == "" {
							fault = more
						}
						c = found(fault, "")
					}
					t.Logf("%s %s", c.sign, c.why)
					table.set(t, p.name, from.name+" calls", to.name, c)
				})
			}
		}
	}
}

// pair starts two clients at one server.
func pair(t testing.TB, from, to column, drivers, how string) [2]*client {
	t.Helper()
	o, settings := options{Path: how, Media: "both"}, []string{"turn.public_ip=" + e2e.Host()}
	if how == "relay" {
		o, settings = options{Path: "direct", Media: "both", Relay: true}, append(settings, "relay.mode=always")
	}
	s := e2e.StartServer(t, settings...)
	return [2]*client{
		process(t, "Caller", drivers, from.command, s, newHome(t, 1), o),
		process(t, "Callee", drivers, to.command, s, newHome(t, 2), o),
	}
}

// meet has one client call another, and then hang up.
func meet(t testing.TB, a, b *client) {
	t.Helper()
	a.do("call Callee")
	for _, c := range []*client{a, b} {
		before := c.status()
		now := before
		for end := time.Now().Add(25 * time.Second); now.Audio <= before.Audio+25 || now.Video <= before.Video+5; time.Sleep(50 * time.Millisecond) {
			if now = c.status(); time.Now().After(end) {
				t.Fatalf("within 25 s the %s gets %d packets of sound and %d pictures; the caller is %q %s, the callee %q %s",
					strings.ToLower(c.name), now.Audio-before.Audio, now.Video-before.Video, a.status().State, a.status().Error, b.status().State, b.status().Error)
			}
		}
	}
	a.do("end")
	until(t, patience, "the other hears of the end", func() bool { return b.status().Ended == "hangup" })
}
