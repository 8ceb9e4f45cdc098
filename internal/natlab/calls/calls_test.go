//go:build linux

package calls

// Calls from every kind of network, to every kind of server.

import (
	"os"
	"testing"

	"duet/internal/natlab"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// A serverCase is one way of running the server, and calls through it.
type serverCase struct {
	name      string
	world     WorldOptions
	scenarios []Scenario
}

// TestNetworks: whatever lies between two people, the call comes up on the best path there is.
func TestNetworks(t *testing.T) {
	scenarios := representative
	if all() {
		scenarios = whole()
	}
	runAll(t, serverCase{name: "Networks", scenarios: scenarios})
}

// TestServers: the same for servers that are not simply there with a public address and everything on.
func TestServers(t *testing.T) {
	for _, c := range []serverCase{
		{
			name:      "Server behind a 1:1 NAT with hairpin",
			world:     WorldOptions{ServerNet: natlab.Cloud},
			scenarios: []Scenario{{A: natlab.Office, B: natlab.Office}, {A: natlab.Port443, B: natlab.Home}, {A: natlab.Home, B: natlab.Cone}},
		},
		{
			name:      "Server behind a 1:1 NAT without hairpin",
			world:     WorldOptions{ServerNet: natlab.CloudNoHairpin},
			scenarios: []Scenario{{A: natlab.Office, B: natlab.Office}, {A: natlab.UDPBlocked, B: natlab.Home}},
		},
		{
			name:  "Relay mode always",
			world: WorldOptions{Settings: []string{"relay.mode=always"}},
			scenarios: []Scenario{
				{A: natlab.Home, B: natlab.Office, Want: relay}, {A: natlab.UDPBlocked, B: natlab.Home, Want: relay},
				{A: natlab.IPv6, B: natlab.Home, Want: relay}, {A: natlab.Port443, B: natlab.ProxyOnly, Want: relay},
			},
		},
		{
			// ICE over TCP leads to the relay where TLS does; so does TURN over TLS, and what is there first stays.
			name:  "TURN and the relay on one port, relay mode always",
			world: WorldOptions{Settings: []string{"relay.mode=always", "relay.listen=:" + turnPort}},
			scenarios: []Scenario{
				{A: natlab.Home, B: natlab.Office, Want: relay, How: "prflx/udp"}, {A: natlab.Port443, B: natlab.Home, Want: relay, How: "prflx/tcp|relay/udp"},
			},
		},
		{
			name:  "No TURN, the relay as fallback after 2 s",
			world: WorldOptions{Settings: []string{"turn.enabled=false", "relay.fallback_after=2s"}},
			scenarios: []Scenario{
				{A: natlab.Office, B: natlab.Office, Want: relay}, {A: natlab.UDPBlocked, B: natlab.Home, Want: relay},
				{A: natlab.DualStack, B: natlab.DualStackOffice, Want: direct},
			},
		},
		{
			name:      "TURN has one allocation to give",
			world:     WorldOptions{Settings: []string{"turn.total_allocations=1"}},
			scenarios: []Scenario{{A: natlab.Office, B: natlab.Office}},
		},
		{
			name:      "TURN's own port is refused",
			scenarios: []Scenario{{A: natlab.Office, B: natlab.Office, Before: refuse(turnPort)}},
		},
		{
			name:      "Relay mode always, and the relay's own port is refused",
			world:     WorldOptions{Settings: []string{"relay.mode=always"}},
			scenarios: []Scenario{{A: natlab.Home, B: natlab.Office, Want: relay, Before: refuse(relayPort)}},
		},
	} {
		t.Run(c.name, func(t *testing.T) { runAll(t, c) })
	}
}

func runAll(t *testing.T, c serverCase) {
	w := NewWorld(t, c.world)
	var results []Result
	for _, s := range c.scenarios {
		t.Run(s.String(), func(t *testing.T) {
			r := s.Run(w)
			results = append(results, r)
			if r.Fault != "" {
				t.Errorf("%s", r.Fault)
			}
			t.Logf("%s (%s) after %v / %v", r.Path, r.How, r.Setup[0].Round(1e6), r.Setup[1].Round(1e6))
		})
	}
	table := Table(results)
	t.Log("\n" + table)
	if err := writeResults(c.name, table); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		w.Server.tell(t.Name())
	}
}
