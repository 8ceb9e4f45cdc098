//go:build linux

// A world of people, networks and one server between them.

package calls

import (
	"fmt"
	"net/netip"
	"os/exec"
	"testing"

	"duet/internal/e2e"
	"duet/internal/natlab"
)

// A World is one internet with the program in it. Everything ends with the test.
type World struct {
	Lab    *natlab.Lab
	Server *Server

	a      *attempt
	slack  int // see there
	spki   string
	people map[string]*Person
	nets   map[string]*natlab.Network
}

// A Person is a browser on a host in some network.
type Person struct {
	*e2e.Browser
	Name string
	Net  *natlab.Network
	Host *natlab.Host

	attempt *attempt
}

// WorldOptions says what differs from a server with its defaults and public addresses.
type WorldOptions struct {
	ServerNet natlab.Spec // zero: public addresses, IPv4 and IPv6
	Settings  []string    // configuration, as "relay.mode=always"
}

// NewWorld builds an internet and starts the server.
func NewWorld(t testing.TB, o WorldOptions) *World {
	t.Helper()
	a := &attempt{TB: t}
	w := &World{Lab: natlab.New(t), a: a, people: make(map[string]*Person), nets: make(map[string]*natlab.Network)}
	var err error
	if w.slack, err = slack(); err != nil {
		t.Fatal(err)
	}
	if o.ServerNet.Name == "" {
		o.ServerNet = natlab.OpenDual
	}
	host := w.Lab.Network(o.ServerNet).Host("server")
	addrs := []netip.Addr{host.Public()}
	if host.Addr6().IsValid() {
		addrs = append(addrs, host.Addr6())
	}
	w.Lab.Name(serverName, addrs...)
	settings := o.Settings
	if o.ServerNet.NAT == natlab.OneToOne {
		settings = append([]string{"turn.public_ip=" + host.Public().String(), "relay.public_ip=" + host.Public().String()}, settings...)
	}
	certFile, keyFile, spki, err := certificate(w.Lab.Dir(), serverName)
	if err != nil {
		t.Fatal(err)
	}
	w.spki = spki
	w.Server = newServer(t, host, w.Lab.Dir(), certFile, keyFile, settings)
	t.Cleanup(func() { w.Server.Stop(false) })
	return w
}

// startBrowser is e2e.StartBrowser or e2e.StartFirefox.
type startBrowser func(testing.TB, *e2e.Server, string, e2e.BrowserOptions) *e2e.Browser

// Network is the world's network of this kind and number; made at its first use. The numbers tell apart networks that are
// alike.
func (w *World) Network(s natlab.Spec, number int) *natlab.Network {
	w.a.Helper()
	key := fmt.Sprintf("%s/%d", s.Name, number)
	if w.nets[key] == nil {
		w.nets[key] = w.Lab.Network(s)
	}
	return w.nets[key]
}

// Person is the world's person of this name, with a Chromium in the network where they were first asked for.
func (w *World) Person(name string, n *natlab.Network, opts ...natlab.LinkOption) *Person {
	w.a.Helper()
	return w.person(name, n, e2e.StartBrowser, opts)
}

// person is Person with any browser.
func (w *World) person(name string, n *natlab.Network, start startBrowser, opts []natlab.LinkOption) *Person {
	w.a.Helper()
	if p := w.people[name]; p != nil {
		return p
	}
	p := &Person{Name: name, Net: n, Host: n.Host(name, opts...), attempt: w.a}
	flags := map[string]any{"ignore-certificate-errors-spki-list": w.spki}
	if n.Filter == natlab.OnlyProxy {
		flags["proxy-server"] = "http://" + n.Proxy().String()
	}
	p.Browser = start(w.a, &e2e.Server{URL: "https://" + serverName + "/", TURNPort: turnPort, RelayPort: relayPort}, name, e2e.BrowserOptions{
		Scripts: []string{measureScript},
		Flags:   flags,
		Wrap: func(cmd *exec.Cmd) {
			inside := p.Host.Command(w.a.Context(), cmd.Path, cmd.Args[1:]...)
			cmd.Path, cmd.Args = inside.Path, inside.Args
		},
		Dial: p.Host.Dial,
	})
	p.Viewport(640, 480) // two browsers draw on the cores that are measured
	w.people[name] = p
	return p
}
