//go:build linux

// Who calls whom, and which path must come of it.

package calls

import (
	"fmt"
	"strings"
	"time"

	"duet/internal/e2e"
	"duet/internal/natlab"
)

// Path names.
const (
	direct = "direct"
	turn   = "turn"
	relay  = "relay"
)

// A Scenario is one call between two networks.
type Scenario struct {
	A, B    natlab.Spec
	Within  bool          // both are in one network of kind A
	Want    string        // empty: what the theory of NATs says, with TURN where it says no
	How     string        // that the caller's end must have; empty: as it comes
	Query   string        // of both pages
	Watch   time.Duration // see CallOptions
	Firefox bool          // the caller's browser; Chromium otherwise
	// Before makes the world what it is when the call begins. It may be nil.
	Before func(a, b *Person)
}

func (s Scenario) String() string {
	from, to := s.from(), s.B.Name
	if s.Within {
		to = "the same"
	}
	return from + " calls " + to
}

func (s Scenario) from() string {
	if s.Firefox {
		return s.A.Name + " (Firefox)"
	}
	return s.A.Name
}

func (s Scenario) want() string {
	switch {
	case s.Want != "":
		return s.Want
	case s.Within && s.A.PunchesWithin(), !s.Within && s.A.Punches(s.B):
		return direct
	}
	return turn
}

// Run has the two call each other in this world.
func (s Scenario) Run(w *World) Result {
	var r Result
	err := w.a.try(func() {
		a := w.At(s.A, 0)
		if s.Firefox {
			a = w.person("firefox-"+s.A.Name, w.Network(s.A, 0), e2e.StartFirefox, nil)
		}
		var b *Person
		switch {
		case s.Within:
			b = w.Person(a.Name+"-too", a.Net)
		case s.A.Name == s.B.Name:
			b = w.At(s.B, 1)
		default:
			b = w.At(s.B, 0)
		}
		if s.Before != nil {
			s.Before(a, b)
		}
		r = w.Call(a, b, s.want(), CallOptions{Query: s.Query, Watch: s.Watch})
		if how, _, _ := strings.Cut(r.How, " "); s.How != "" && !wanted(s.How, how) {
			w.a.Errorf("the caller's end is %s, want %s", how, s.How)
		}
		r.From = s.from()
		if s.Within {
			r.To = "the same"
		}
	})
	if err != nil {
		r = Result{From: s.from(), To: s.B.Name, Want: s.want(), Fault: err.Error()}
	}
	return r
}

// At is the person in the world's network of this kind and number.
func (w *World) At(s natlab.Spec, number int) *Person {
	w.a.Helper()
	name := s.Name
	if number > 0 {
		name = fmt.Sprintf("%s-%d", name, number+1)
	}
	return w.Person(name, w.Network(s, number))
}

// refuse has the routers of both turn away what goes to a port of the server's.
func refuse(port string) func(a, b *Person) {
	return func(a, b *Person) {
		for _, p := range []*Person{a, b} {
			p.Net.Block(natlab.Block{Proto: "udp", Ports: port, Refuse: true}, natlab.Block{Proto: "tcp", Ports: port, Refuse: true})
		}
	}
}

// representative is what make test can afford: each kind of network once, and each way of going through.
var representative = []Scenario{
	{A: natlab.Home, B: natlab.Home},
	{A: natlab.Home, B: natlab.Office},
	{A: natlab.Office, B: natlab.Office},
	{A: natlab.Office, B: natlab.Cone},
	{A: natlab.CarrierHome, B: natlab.Home},
	{A: natlab.Home, B: natlab.Mobile},
	{A: natlab.Cloud, B: natlab.Home},
	{A: natlab.Home, Within: true},
	{A: natlab.Guest, Within: true},
	{A: natlab.GuestHairpin, Within: true},
	{A: natlab.UDPBlocked, B: natlab.Home},
	{A: natlab.Port443, B: natlab.Home},
	{A: natlab.Port443, B: natlab.UDPBlocked},
	{A: natlab.ProxyOnly, B: natlab.Home},
	{A: natlab.IPv6, B: natlab.Home},
	{A: natlab.IPv6, B: natlab.DualStack},
	{A: natlab.DualStackOffice, B: natlab.DualStack},
	{A: natlab.Home, B: natlab.Home, Firefox: true},
}

// whole is every pair of kinds, and every kind with itself, within one network too where that says something.
func whole() []Scenario {
	var all []Scenario
	for i, a := range natlab.Specs {
		for _, b := range natlab.Specs[i:] {
			all = append(all, Scenario{A: a, B: b})
		}
	}
	for _, s := range []natlab.Spec{natlab.Home, natlab.HomeHairpin, natlab.Guest, natlab.GuestHairpin, natlab.Cloud, natlab.DualStack, natlab.UDPBlocked, natlab.Port443} {
		all = append(all, Scenario{A: s, Within: true})
	}
	for _, s := range []natlab.Spec{natlab.Home, natlab.Office, natlab.Mobile, natlab.UDPBlocked, natlab.Port443, natlab.IPv6} {
		all = append(all, Scenario{A: s, B: natlab.Home, Firefox: true})
	}
	return all
}
