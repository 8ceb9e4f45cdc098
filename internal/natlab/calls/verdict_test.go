//go:build linux

package calls

// Why calls do not connect, and who is told.

import (
	"slices"
	"strings"
	"testing"
	"time"

	"duet/internal/e2e"
	"duet/internal/natlab"
)

// A hopeless call cannot connect, and the page must say why.
type hopeless struct {
	code  string
	world WorldOptions
	a, b  natlab.Spec
	query string
	hit   func(w *World, a, b *Person) // once the call is accepted
	says  [2]string                    // to the caller, to the callee; empty: whoever cannot be told
	long  bool                         // for make test-all only
}

var hopelessCalls = []hopeless{
	{
		code: "no-udp", world: WorldOptions{Settings: []string{"relay.mode=off"}},
		a: natlab.UDPBlocked, b: natlab.Home, query: "?path=direct",
		says: [2]string{"Your network lets no UDP out, and no other way was found.", "udp-blocked's network lets no UDP out, and no other way was found."},
	},
	{
		code: "wrong-public-address", world: WorldOptions{ServerNet: natlab.Cloud, Settings: []string{"turn.enabled=false", "turn.public_ip=", "relay.public_ip="}},
		a: natlab.Office, b: natlab.Office,
		says: [2]string{
			"The server announces an address at which it cannot be reached. Its operator must correct it.",
			"The server announces an address at which it cannot be reached. Its operator must correct it.",
		},
	},
	{
		code: "turn-unreachable", long: true,
		// An address where nobody is.
		world: WorldOptions{Settings: []string{"relay.mode=off", "turn.host=198.51.100.99"}},
		a:     natlab.Office, b: natlab.Office,
		says: [2]string{
			"The TURN server cannot be reached, neither from your network nor from symmetric-2's.",
			"The TURN server cannot be reached, neither from your network nor from symmetric's.",
		},
	},
	{
		code: "relay-firewalled", long: true, world: WorldOptions{Settings: []string{"turn.enabled=false"}},
		a: natlab.Office, b: natlab.Office,
		hit: func(_ *World, a, _ *Person) {
			a.Net.Block(natlab.Block{Proto: "udp", Ports: relayPort}, natlab.Block{Proto: "tcp", Ports: relayPort})
		},
		says: [2]string{
			"A firewall stands between your network and the server's relay ports.",
			"A firewall stands between symmetric's network and the server's relay ports.",
		},
	},
	{
		code: "ip-mismatch", long: true, world: WorldOptions{Settings: []string{"turn.enabled=false", "relay.mode=off"}},
		a: natlab.IPv6, b: natlab.Home,
		says: [2]string{
			"One of you has only IPv4, the other only IPv6, and no server stands between you.",
			"One of you has only IPv4, the other only IPv6, and no server stands between you.",
		},
	},
	{
		code: "peer-gone", long: true, world: WorldOptions{Settings: []string{"turn.enabled=false", "relay.mode=off"}},
		a: natlab.Office, b: natlab.Office,
		hit:  func(_ *World, _, b *Person) { b.Host.Link().Silence(true) },
		says: [2]string{"symmetric-2 is no longer reachable.", ""},
	},
}

// TestVerdicts: a call that nothing can connect says why, at both ends in their own terms, and the operator can count it.
func TestVerdicts(t *testing.T) {
	for _, c := range hopelessCalls {
		if c.long && !all() {
			continue
		}
		t.Run(c.code, func(t *testing.T) {
			w := NewWorld(t, c.world)
			a := w.At(c.a, 0)
			b := w.At(c.b, map[bool]int{true: 1}[c.a.Name == c.b.Name])
			if err := w.a.try(func() { w.connect(a, b, c.query) }); err != nil {
				t.Fatal(err)
			}
			if c.hit != nil {
				c.hit(w, a, b)
			}
			begun := time.Now()
			for i, p := range []*Person{a, b} {
				if c.says[i] == "" {
					continue
				}
				var said []string
				err := w.a.try(func() {
					p.Eventually("the page says why", 60*time.Second, func() bool {
						said = notices(p)
						return len(said) > 0
					})
					p.Shot("verdict-" + c.code + "-" + p.Name)
				})
				if err != nil || !slices.Contains(said, c.says[i]) {
					t.Errorf("%s is told %q (%v), want %q", p.Name, said, err, c.says[i])
				}
				t.Logf("%s was told after %v", p.Name, time.Since(begun).Round(time.Second))
			}
			text, err := w.Server.get("http://127.0.0.1:9080/metrics")
			if line := `duet_signaling_verdicts_total{code="` + c.code + `"} 1`; err != nil || !strings.Contains(text, line+"\n") {
				t.Errorf("the metrics (%v) have no line %s", err, line)
			}
			if n := strings.Count(w.Server.Output.String(), "call does not connect"); n != 1 {
				t.Errorf("the log tells of it %d times, want once", n)
			}
			if t.Failed() {
				w.Server.tell(t.Name())
			}
		})
	}
}

// notices are what the page tells at the moment.
func notices(p *Person) []string {
	return e2e.JS[[]string](p.Browser, "[...document.querySelectorAll('[data-testid=notice] span')].map((e) => e.textContent)")
}
