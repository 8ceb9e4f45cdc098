//go:build linux

// What happens to a call when the world changes under it.

package calls

import (
	"fmt"
	"strings"
	"time"

	"duet/internal/e2e"
	"duet/internal/natlab"
)

// A Transition is a call, something that happens to it, and what must become of it without anybody's doing.
type Transition struct {
	Name  string
	A, B  natlab.Spec
	World WorldOptions
	Query string
	First string        // the path before; empty: what theory says
	Then  string        // the path after
	Limit time.Duration // the longest time without a new picture that is allowed, beyond Away
	Away  time.Duration // how long nothing can come through, by what Happens does
	Long  bool          // for make test-all only
	// Before makes the world what it is when the call begins. It may be nil.
	Before func(w *World, a, b *Person)
	// Happens changes the world. It may take its time.
	Happens func(w *World, a, b *Person)
}

// Moved is a measured transition.
type Moved struct {
	Transition
	Was, Is   string // path and candidates, before and after
	Base      time.Duration
	Gap       [2]time.Duration // the longest time without a new picture, at a and b
	Concealed [2]float64       // seconds of sound that had to be made up; negative: unknown
	Slow      bool             // over the Limit, though not by much
	Fault     string
}

// recovers is how long the call may take to be on its best path again: one that could not be had at once is tried again
// every minute.
const recovers = 90 * time.Second

// Run makes the call in a world of its own and has it happen.
func (tr Transition) Run(w *World) (m Moved) {
	m.Transition = tr
	first := tr.First
	if first == "" {
		first = Scenario{A: tr.A, B: tr.B}.want()
	}
	err := w.a.try(func() {
		a := w.Person("alice", w.Network(tr.A, 0), natlab.WithDelay())
		b := w.Person("bob", w.Network(tr.B, 1))
		if tr.Before != nil {
			tr.Before(w, a, b)
		}
		r := w.Call(a, b, first, CallOptions{Query: tr.Query, Keep: true})
		if r.Fault != "" {
			w.a.Fatalf("before anything happened: %s", r.Fault)
		}
		m.Was = r.Path + " (" + r.How + ")"
		defer func() {
			if len(w.a.faults) > 0 {
				w.a.Logf("%s\n%s", a.story(), b.story())
			}
			w.part(a, b)
		}()
		for _, p := range []*Person{a, b} {
			m.Base = max(m.Base, ms(p.sight().Longest))
		}
		heard := [2]float64{concealed(a), concealed(b)}
		mark(a, b)
		tr.Happens(w, a, b)
		w.recover(a, b, tr.Then)
		for i, p := range []*Person{a, b} {
			s := p.sight()
			m.Gap[i] = ms(s.Longest)
			w.a.Logf("%s: %s: pauses in pictures [ms after the first picture, length]: %v", tr.Name, p.Name, s.Gaps)
			m.Concealed[i] = concealed(p) - heard[i]
		}
		name, how := path(a, b)
		m.Is = name + " (" + how + ")"
		if !wanted(tr.Then, name) {
			w.a.Errorf("afterwards the path is %s, want %s", m.Is, tr.Then)
		}
		for i, p := range []*Person{a, b} {
			gap := m.Gap[i] - tr.Away
			m.Slow = m.Slow || gap > tr.Limit
			if gap > time.Duration(w.slack)*tr.Limit {
				w.a.Errorf("%s saw no new picture for %v; %v is the goal", p.Name, m.Gap[i], tr.Away+tr.Limit)
			}
		}
	})
	if err != nil {
		m.Fault = err.Error()
	}
	return m
}

// recover waits until both have been seeing new pictures on the wanted path for 3 s.
func (w *World) recover(a, b *Person, want string) {
	w.a.Helper()
	got, how := "", ""
	moving := [2]bool{}
	var since time.Time
	for end := time.Now().Add(recovers); time.Now().Before(end); <-time.After(200 * time.Millisecond) {
		for i, p := range []*Person{a, b} {
			moving[i] = p.sight().Open < 1000
		}
		got, how = path(a, b)
		switch good := moving[0] && moving[1] && wanted(want, got); {
		case !good:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > 3*time.Second:
			return
		}
	}
	w.a.Errorf("after %v: pictures move at %s: %v, at %s: %v; the path is %s (%s), want %s", recovers, a.Name, moving[0], b.Name, moving[1], got, how, want)
}

func ms(f float64) time.Duration { return time.Duration(f * float64(time.Millisecond)) }

// concealed is the seconds of sound that were made up, over all connections there are.
func concealed(p *Person) float64 {
	sum := 0.0
	for _, s := range p.Stats() {
		if s.InAudio != nil {
			sum += s.InAudio.Concealed
		}
	}
	return sum / 48000
}

// say runs a piece of the page's own library.
func say(p *Person, script string) { e2e.JS[any](p.Browser, script) }

const (
	planned   = 200 * time.Millisecond // nothing broke, so nobody may notice
	unplanned = 4 * time.Second
)

// transitions are what happens to calls.
var transitions = []Transition{
	{
		Name: "direct to relay, asked for", A: natlab.Home, B: natlab.Home, Then: relay, Limit: planned,
		Happens: func(w *World, a, b *Person) { say(a, "duet.call.useRelay(true)") },
	},
	{
		Name: "relay to direct, asked for", A: natlab.Home, B: natlab.Home, First: direct, Then: direct, Limit: planned,
		Happens: func(w *World, a, b *Person) {
			say(a, "duet.call.useRelay(true)")
			w.recover(a, b, relay)
			<-time.After(2 * time.Second)
			mark(a, b)
			say(a, "duet.call.useRelay(false)")
		},
	},
	{
		// Each restarts before it has heard of the other's restart. Chromium must not be made to roll one back.
		Name: "both sides restart at the same moment", A: natlab.Home, B: natlab.Home, Then: direct, Limit: planned,
		Happens: func(w *World, a, b *Person) {
			at := time.Now().Add(500 * time.Millisecond).UnixMilli()
			for _, p := range []*Person{a, b} {
				say(p, fmt.Sprintf("void setTimeout(() => duet.call.networkChanged(), %d - Date.now())", at))
			}
			<-time.After(2 * time.Second)
		},
	},
	{
		// Nothing replaces what works.
		Name: "the relay is asked for, and its port is refused", A: natlab.Open, B: natlab.Open, Then: direct, Limit: planned, Long: true,
		World: WorldOptions{Settings: []string{"turn.enabled=false"}},
		Happens: func(w *World, a, b *Person) {
			refuse(relayPort)(a, b)
			say(a, "duet.call.useRelay(true)")
			<-time.After(35 * time.Second) // the server gives up after 30 s
		},
	},
	{
		Name: "address change (another lease)", A: natlab.Home, B: natlab.Home, Then: direct, Limit: unplanned,
		Happens: func(w *World, a, b *Person) { a.Host.Renumber() },
	},
	{
		Name: "Wi-Fi to mobile, the other at home", A: natlab.Home, B: natlab.Home, Then: turn, Limit: unplanned,
		Happens: func(w *World, a, b *Person) { a.Host.Roam(w.Network(natlab.Mobile, 0)) },
	},
	{
		Name: "Wi-Fi to mobile, the other on an open network", A: natlab.Home, B: natlab.Open, Then: direct, Limit: unplanned,
		Happens: func(w *World, a, b *Person) { a.Host.Roam(w.Network(natlab.Mobile, 0)) }, Long: true,
	},
	{
		Name: "Wi-Fi to mobile, and back after 5 s", A: natlab.Home, B: natlab.Home, Then: direct, Limit: unplanned, Long: true,
		Happens: func(w *World, a, b *Person) {
			a.Host.Roam(w.Network(natlab.Mobile, 0))
			<-time.After(5 * time.Second)
			a.Host.Roam(a.Net)
		},
	},
	{
		Name: "Wi-Fi that dies slowly, then mobile", A: natlab.Home, B: natlab.Home, Then: turn, Limit: unplanned, Away: 3 * time.Second, Long: true,
		Happens: func(w *World, a, b *Person) {
			a.Host.Link().ImpairBoth(natlab.Impairment{Loss: 70})
			<-time.After(3 * time.Second)
			a.Host.Roam(w.Network(natlab.Mobile, 0))
		},
	},
	{
		Name: "the direct path dies in silence", A: natlab.Home, B: natlab.Home, Then: turn + "|" + relay, Limit: unplanned,
		Happens: func(w *World, a, b *Person) {
			a.Net.Block(natlab.Block{Proto: "udp", To: b.Host.Public().String()})
			b.Net.Block(natlab.Block{Proto: "udp", To: a.Host.Public().String()})
		},
	},
	{
		Name: "the direct path dies in one direction", A: natlab.Home, B: natlab.Home, Then: turn + "|" + relay, Limit: unplanned,
		Happens: func(w *World, a, b *Person) {
			a.Net.Block(natlab.Block{Proto: "udp", To: b.Host.Public().String()})
		},
	},
	{
		Name: "all UDP is blocked in the middle of the call", A: natlab.Home, B: natlab.Home, Then: turn + "|" + relay, Limit: unplanned, Long: true,
		Happens: func(w *World, a, b *Person) { a.Net.Block(natlab.Block{Proto: "udp"}) },
	},
	{
		Name: "the home router restarts and forgets", A: natlab.Home, B: natlab.Home, Then: direct, Limit: unplanned, Long: true,
		Happens: func(w *World, a, b *Person) { a.Net.Reboot() },
	},
	{
		Name: "the office router restarts and forgets", A: natlab.Office, B: natlab.Cone, Then: direct, Limit: unplanned, Long: true,
		Happens: func(w *World, a, b *Person) { a.Net.Reboot() },
	},
	idle("direct", natlab.Home),
	idle("through TURN", natlab.Office),
	down("no carrier for 2 s", 2*time.Second, (*natlab.Link).Carrier, false),
	down("no carrier for 10 s", 10*time.Second, (*natlab.Link).Carrier, true),
	down("no carrier for 25 s", 25*time.Second, (*natlab.Link).Carrier, true),
	down("silence for 2 s", 2*time.Second, alive, true),
	down("silence for 10 s", 10*time.Second, alive, false),
	down("silence for 25 s", 25*time.Second, alive, true),
	{
		Name: "server restart, direct call", A: natlab.Home, B: natlab.Home, Then: direct, Limit: planned,
		Happens: func(w *World, a, b *Person) { restart(w, false) },
	},
	{
		Name: "server crash, direct call", A: natlab.Home, B: natlab.Home, Then: direct, Limit: planned, Long: true,
		Happens: func(w *World, a, b *Person) { restart(w, true) },
	},
	{
		Name: "server restart, call through TURN", A: natlab.Office, B: natlab.Office, Then: turn + "|" + relay, Limit: unplanned, Long: true,
		Happens: func(w *World, a, b *Person) { restart(w, false) },
	},
	{
		Name: "server crash, call through the relay", A: natlab.Home, B: natlab.Home, First: relay, Then: relay, Limit: unplanned,
		World:   WorldOptions{Settings: []string{"relay.mode=always"}},
		Happens: func(w *World, a, b *Person) { restart(w, true) },
	},
	{
		Name: "TURN to direct: another lease, and the way is free", A: natlab.Home, B: natlab.Home, First: turn, Then: direct, Limit: unplanned, Long: true,
		Before:  func(w *World, a, b *Person) { a.Net.Block(natlab.Block{Proto: "udp", To: b.Host.Public().String()}) },
		Happens: func(w *World, a, b *Person) { a.Net.Unblock(); a.Host.Renumber() },
	},
}

// down is a link that is gone for a while.
func down(name string, d time.Duration, set func(*natlab.Link, bool), long bool) Transition {
	return Transition{
		Name: "the link is down: " + name, A: natlab.Home, B: natlab.Home, Then: direct, Limit: unplanned, Away: d, Long: long,
		Happens: func(w *World, a, b *Person) {
			set(a.Host.Link(), false)
			<-time.After(d)
			set(a.Host.Link(), true)
		},
	}
}

// idle is a call in which nobody shows or says anything for longer than the bindings of their NATs live.
func idle(name string, s natlab.Spec) Transition {
	s.Binding = 30 * time.Second
	s.Name += ", bindings of 30 s"
	const away = 40 * time.Second
	return Transition{
		Name: "nothing is sent for 40 s, and bindings live 30 s: " + name, A: s, B: s, Then: Scenario{A: s, B: s}.want(),
		Limit: unplanned, Away: away, Long: true,
		Happens: func(w *World, a, b *Person) {
			press := func() {
				for _, p := range []*Person{a, b} {
					p.Click("toggle-video")
					p.Click("toggle-audio")
				}
			}
			press()
			<-time.After(away)
			press()
		},
	}
}

func alive(l *natlab.Link, on bool) { l.Silence(!on) }

func restart(w *World, crash bool) {
	w.Server.Stop(crash)
	w.Server.Start()
}

// Moves is a list of transitions in Markdown.
func Moves(all []Moved) string {
	var b strings.Builder
	b.WriteString("The longest time without a newly decoded picture, at the end where it happened and at the other; just before, undisturbed, for comparison.\n\n")
	b.WriteString("| what happens | path before | path after | undisturbed | gap, here / there | of it, the link was away | sound made up, here / there | |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, m := range all {
		verdict := "ok"
		if m.Fault != "" {
			verdict = "**" + oneLine(m.Fault) + "**"
		}
		if m.Slow {
			verdict = fmt.Sprintf("slow: %v is the goal", m.Limit)
		}
		away := "–"
		if m.Away > 0 {
			away = m.Away.String()
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d ms | %d / %d ms | %s | %s / %s | %s |\n", m.Name, m.Was, m.Is, m.Base.Milliseconds(),
			m.Gap[0].Milliseconds(), m.Gap[1].Milliseconds(), away, seconds(m.Concealed[0]), seconds(m.Concealed[1]), verdict)
	}
	return b.String()
}

func seconds(f float64) string {
	if f < 0 {
		return "?" // the connection that had counted is closed
	}
	return fmt.Sprintf("%.1f s", f)
}
