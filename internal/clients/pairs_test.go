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
	table := readTable(t)
	drivers := withModules(t, "drivers")
	all := columns(t)
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
						fault := a.try(func() { meet(a, from, to, drivers, p.option) })
						if more := a.clear(); fault == "" {
							fault = more
						}
						c = cell{sign: "ok"}
						if fault != "" {
							c = cell{"no", strings.Join(strings.Fields(fault), " ")}
						}
					}
					t.Logf("%s %s", c.sign, c.why)
					table.set(t, p.name, from.name+" calls", to.name, c)
				})
			}
		}
	}
	if os.Getenv("DUET_TEST_WRITE") != "" {
		table.write(t)
	}
}

// meet has one client call another, and then hang up.
func meet(t testing.TB, from, to column, drivers, how string) {
	t.Helper()
	o, settings := options{Path: how, Media: "both"}, []string{"turn.public_ip=" + e2e.Host()}
	if how == "relay" {
		o, settings = options{Path: "direct", Media: "both", Relay: true}, append(settings, "relay.mode=always")
	}
	s := e2e.StartServer(t, settings...)
	a := process(t, "Caller", drivers, from.command, s, newHome(t, 1), o)
	b := process(t, "Callee", drivers, to.command, s, newHome(t, 2), o)
	a.do("call Callee")
	for _, c := range []*client{a, b} {
		before := c.status()
		until(t, 20*time.Second, "sound and pictures at the "+strings.ToLower(c.name)+", which says "+c.status().Error, func() bool {
			now := c.status()
			return now.Audio > before.Audio+25 && now.Video > before.Video+5
		})
	}
	a.do("end")
	until(t, patience, "the other hears of the end", func() bool { return b.status().Ended == "hangup" })
}
