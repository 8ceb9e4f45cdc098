//go:build linux

// The relay beside the direct way, in the same bad weather.

package calls

import (
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"duet/internal/e2e"
	"duet/internal/natlab"
)

//go:embed flow.js
var flowScript string

// flow is what had come and gone at one end at a moment.
type flow struct {
	At        float64 `json:"at"`        // ms
	Decoded   float64 `json:"decoded"`   // pictures that came
	Sent      float64 `json:"sent"`      // pictures that went
	Bytes     float64 `json:"bytes"`     // of pictures that came, without repeats, which are padding too
	Freezes   float64 `json:"freezes"`   // as the browser counts them
	Samples   float64 `json:"samples"`   // of sound that was played
	Concealed float64 `json:"concealed"` // of these, made up
	Energy    float64 `json:"energy"`    // of sound
	Out       float64 `json:"out"`       // bytes on the wire that went
	Asked     float64 `json:"asked"`     // repeats that were asked for
	Repeated  float64 `json:"repeated"`  // packets sent again
	PLIs      float64 `json:"plis"`      // key frames that were asked for
	Trip      float64 `json:"trip"`      // ms to the other end and back, by the reports of RTCP
	Estimate  float64 `json:"estimate"`  // kbit/s that the sender thinks it may send
	Width     float64 `json:"width"`     // of the pictures that come
}

func (p *Person) flow() flow { return e2e.JS[flow](p.Browser, flowScript) }

// A Weather is what the caller's link does to a call for a while.
type Weather struct {
	Name     string
	Up, Down natlab.Impairment
	Watch    time.Duration
	Firefox  bool    // is the callee's browser
	Part     float64 // of the pictures that the direct way gives, the relay may lose; 0 means a tenth
	// Absolute is what the relayed call must be like by itself, whatever the direct one is. It may be nil.
	Absolute func(direct, relayed stretch) error
}

// A stretch is how one direction of a call fared in it, as seen by the one who receives.
type stretch struct {
	FPS, Sent float64 // pictures a second: seen, and sent at the other end
	KBits     float64 // a second, of pictures, repeats not counted
	Freezes   float64 // a minute, as the browser counts them
	Longest   float64 // ms without a new picture
	Concealed float64 // percent of the sound
	Deaf      float64 // s without sound that is no silence
	Out       float64 // kbit/s that the other end sent once it had had 5 s to adapt, with all headers
	Under     float64 // s until the other end sent no more than the link takes; only where that is limited
	Asked     float64 // a second: repeats asked for, packets repeated, key frames asked for
	Repeated  float64
	PLIs      float64
	Estimate  float64 // kbit/s, at the end
	Width     float64 // of the pictures, at the end
	Trip      float64 // ms from here to the other end and back, at the end
}

// Compared is what a weather did to both ways: medians of several rounds.
type Compared struct {
	Weather
	Ways  [2][2]stretch // direct, relayed; as the caller sees it, as the callee does
	Fault string
}

// ways take turns, so that whatever else the machine does meets both.
var ways = [2]string{direct, relay}

// adapts is how long a sender may take to keep to a link's rate.
const adapts = 5 * time.Second

// Run measures both ways that often.
func (c Weather) Run(w *World, rounds int) (r Compared) {
	r.Weather = c
	err := w.a.try(func() {
		a := w.Person("alice", w.Network(natlab.Home, 0), natlab.WithDelay())
		b := w.Person("bob", w.Network(natlab.Home, 1))
		if c.Firefox {
			b = w.person("bob-firefox", w.Network(natlab.Home, 1), e2e.StartFirefox, nil)
		}
		var all [2][2][]stretch
		for i := range rounds {
			for k := range ways {
				way := (i + k) % 2
				for end, s := range c.once(w, a, b, ways[way]) {
					all[way][end] = append(all[way][end], s)
				}
			}
		}
		for way := range all {
			for end := range all[way] {
				r.Ways[way][end] = median(all[way][end])
			}
		}
		c.judge(w, r.Ways)
	})
	if err != nil {
		r.Fault = err.Error()
	}
	return r
}

// once makes one call and looks on.
func (c Weather) once(w *World, a, b *Person, way string) (seen [2]stretch) {
	w.a.Helper()
	call := w.Call(a, b, way, CallOptions{Query: "?path=" + way, Watch: 3 * time.Second, Keep: true})
	if call.Fault != "" {
		w.a.Fatalf("%s, before the weather: %s", way, call.Fault)
	}
	defer w.part(a, b)
	if c.Up.Rate == 0 && c.Down.Rate == 0 {
		// Encoders that are short of time make smaller pictures. Here the link is tried, not the machine.
		for _, p := range []*Person{a, b} {
			say(p, small)
		}
		grown(640, 40*time.Second, a, b)
	}
	link := a.Host.Link()
	defer link.ImpairBoth(natlab.Impairment{})
	link.Impair(natlab.Up, c.Up)
	link.Impair(natlab.Down, c.Down)
	mark(a, b)
	var series [2][]flow
	for begun := time.Now(); ; <-time.After(500 * time.Millisecond) {
		for i, p := range []*Person{a, b} {
			series[i] = append(series[i], p.flow())
		}
		if time.Since(begun) > c.Watch {
			break
		}
	}
	for i, p := range []*Person{a, b} {
		limit := [2]natlab.Impairment{c.Down, c.Up}[i].Rate
		seen[i] = look(series[i], series[1-i], float64(limit))
		seen[i].Longest = p.sight().Longest
		w.a.Logf("%s, %s: %s: %+v", c.Name, way, p.Name, seen[i])
	}
	if name, how := path(a, b); name != way {
		w.a.Errorf("the path is %s (%s), want %s", name, how, way)
	}
	return seen
}

// grown waits until pictures are so wide at all, and says whether they were in time. Browsers begin with a quarter of the
// camera's size and take their time to grow; how many bytes pictures take says something of the way only if they are the
// same from the start. A machine that is too busy for them keeps them small, which is no reason not to compare.
func grown(width float64, limit time.Duration, people ...*Person) bool {
	small := func(p *Person) bool { return p.flow().Width < width }
	for end := time.Now().Add(limit); slices.ContainsFunc(people, small); <-time.After(200 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// small makes a camera's picture one that every machine can encode.
const small = `Promise.all(__duet.all.flatMap((pc) => pc.connectionState === 'connected' ? pc.getSenders() : [])
  .filter((sender) => sender.track?.kind === 'video')
  .map((sender) => sender.track.applyConstraints({ width: 640, height: 480 }))).then(() => null)`

// look sums up what one end saw of what the other sent over a link of so many kbit/s, or of any if that is 0.
func look(here, there []flow, limit float64) (s stretch) {
	rate := func(all []flow, from, to int, of func(flow) float64) float64 {
		return (of(all[to]) - of(all[from])) / (all[to].At - all[from].At) * 1000
	}
	end, last := len(here)-1, len(there)-1
	s.FPS = rate(here, 0, end, func(f flow) float64 { return f.Decoded })
	s.Freezes = 60 * rate(here, 0, end, func(f flow) float64 { return f.Freezes })
	s.Asked = rate(here, 0, end, func(f flow) float64 { return f.Asked })
	s.KBits = rate(here, 0, end, func(f flow) float64 { return f.Bytes * 8 / 1000 })
	s.Sent = rate(there, 0, last, func(f flow) float64 { return f.Sent })
	s.Repeated = rate(there, 0, last, func(f flow) float64 { return f.Repeated })
	s.PLIs = rate(there, 0, last, func(f flow) float64 { return f.PLIs })
	s.Estimate, s.Width, s.Trip = there[last].Estimate, here[end].Width, here[end].Trip
	s.Concealed = 100 * (here[end].Concealed - here[0].Concealed) / (here[end].Samples - here[0].Samples)
	heard := here[0]
	for _, f := range here {
		if f.Energy > heard.Energy+1e-5 {
			heard = f
		}
		s.Deaf = max(s.Deaf, (f.At-heard.At)/1000)
	}
	out := func(f flow) float64 { return f.Out * 8 / 1000 }
	adapted := 0
	for i := 2; i <= last; i++ {
		if limit > 0 && s.Under == 0 && rate(there, i-2, i, out) <= limit {
			s.Under = (there[i-2].At - there[0].At) / 1000
		}
		if there[i].At-there[0].At >= float64(adapts.Milliseconds()) && adapted == 0 {
			adapted = i
		}
	}
	s.Out = rate(there, adapted, last, out)
	return s
}

// judge holds the relay to the direct way, and to what is asked of it alone.
func (c Weather) judge(w *World, ways [2][2]stretch) {
	part := cmp.Or(c.Part, 0.1)
	noise := max(part, 0.1) // of what encoders make of the same pictures
	busy := w.slack > 1     // what others take from one call and not from the other says nothing of the relay
	if busy {
		part, noise = 0.5, 0.5
	}
	for end, where := range []string{"the caller", "the callee"} {
		if !c.meets(end) {
			continue
		}
		d, r := ways[0][end], ways[1][end]
		// How many are sent is a matter of the machine too; how many of these are seen is not.
		if r.FPS < (1-noise)*d.FPS || r.FPS/r.Sent < (1-part)*d.FPS/d.Sent {
			w.a.Errorf("%s sees %.1f pictures a second of %.1f sent over the relay, %.1f of %.1f directly", where, r.FPS, r.Sent, d.FPS, d.Sent)
		}
		if r.KBits < (1-noise)*d.KBits && !busy {
			w.a.Errorf("%s gets %.0f kbit/s over the relay, %.0f directly", where, r.KBits, d.KBits)
		}
		if r.Freezes > (1+noise)*d.Freezes+2 && !busy {
			w.a.Errorf("%s sees %.1f freezes a minute over the relay, %.1f directly", where, r.Freezes, d.Freezes)
		}
		if c.Absolute == nil || busy {
			continue
		}
		if err := c.Absolute(d, r); err != nil {
			w.a.Errorf("%s, over the relay: %v", where, err)
		}
	}
}

// meets says whether what an end sees and hears comes through the weather. Fair weather is at both ends.
func (c Weather) meets(end int) bool {
	return c.Up == c.Down || [2]natlab.Impairment{c.Down, c.Up}[end] != natlab.Impairment{}
}

// median is that of each figure.
func median(all []stretch) (m stretch) {
	for i, out := range m.figures() {
		var column []float64
		for k := range all {
			column = append(column, *all[k].figures()[i])
		}
		slices.Sort(column)
		*out = column[len(column)/2]
	}
	return m
}

func (s *stretch) figures() []*float64 {
	return []*float64{
		&s.FPS, &s.Sent, &s.KBits, &s.Freezes, &s.Longest, &s.Concealed, &s.Deaf, &s.Out, &s.Under, &s.Asked, &s.Repeated, &s.PLIs, &s.Estimate, &s.Width, &s.Trip,
	}
}

func loss(percent float64) natlab.Impairment { return natlab.Impairment{Loss: percent} }

func delay(d, jitter time.Duration) natlab.Impairment {
	return natlab.Impairment{Delay: d, Jitter: jitter}
}

// narrow is a line with a queue that holds so much.
func narrow(kbits int, queue time.Duration) natlab.Impairment {
	return natlab.Impairment{Rate: kbits, Queue: queue}
}

// both is the same in both directions.
func both(name string, i natlab.Impairment, check func(d, r stretch) error) Weather {
	return Weather{Name: name + " each way", Up: i, Down: i, Watch: 20 * time.Second, Absolute: check}
}

// jittery is both where the bytes are a matter of chance too: what looks like a queue is none, or is.
func jittery(name string, i natlab.Impairment, check func(d, r stretch) error) Weather {
	w := both(name, i, check)
	w.Part = 0.3
	return w
}

// fair is what a call over the relay is in fair weather: nothing less than a direct one.
func fair(_, r stretch) error {
	if r.Freezes > 0 || r.Longest > 500 || r.Deaf > 2 {
		return fmt.Errorf("%.1f freezes a minute, no new picture for %.0f ms, no sound for %.1f s", r.Freezes, r.Longest, r.Deaf)
	}
	return nil
}

// endToEnd says whether the round trip is that between the two ends, of which only the caller's link takes time, and not
// that between one end and the relay.
func endToEnd(delay time.Duration) func(d, r stretch) error {
	return func(d, r stretch) error {
		if least := 2 * float64(delay.Milliseconds()); d.Trip < least || r.Trip < least {
			return fmt.Errorf("a round trip takes %.0f ms, directly %.0f ms; the link alone takes %.0f", r.Trip, d.Trip, least)
		}
		return nil
	}
}

// weathers are on the caller's link: all that a call over the relay goes through at that end, and a direct one too.
var weathers = []Weather{
	{Name: "fair", Watch: 20 * time.Second, Part: 0.02, Absolute: fair},
	{Name: "fair, and Firefox at the callee's", Watch: 20 * time.Second, Part: 0.02, Firefox: true, Absolute: fair},
	both("1 % lost", loss(1), nil),
	both("3 % lost", loss(3), nil),
	{Name: "5 % lost each way", Up: loss(5), Down: loss(5), Watch: 60 * time.Second, Absolute: func(d, r stretch) error {
		if r.FPS < 0.9*r.Sent {
			return fmt.Errorf("%.1f pictures a second are seen of %.1f that were sent", r.FPS, r.Sent)
		}
		if r.Longest > 500 && r.Longest > 1.1*d.Longest { // what the browsers do by themselves is not the relay's fault
			return fmt.Errorf("no new picture for %.0f ms, directly %.0f", r.Longest, d.Longest)
		}
		return nil
	}},
	both("10 % lost", loss(10), nil),
	// So much makes every sender slow down, and by how much is chance: one way differs from itself by half.
	{Name: "20 % lost each way", Up: loss(20), Down: loss(20), Watch: 20 * time.Second, Part: 0.5, Absolute: func(_, r stretch) error {
		if r.Deaf > 2 {
			return fmt.Errorf("nothing was heard for %.1f s", r.Deaf)
		}
		return nil
	}},
	{Name: "a downlink of 300 kbit/s", Down: narrow(300, 300*time.Millisecond), Watch: 30 * time.Second, Absolute: func(d, r stretch) error {
		if r.Under > adapts.Seconds() || r.Out > 300 {
			return fmt.Errorf("the sender came below 300 kbit/s after %.1f s, and sent %.0f kbit/s after %v", r.Under, r.Out, adapts)
		}
		if r.FPS < 8 && r.FPS < 0.9*d.FPS {
			return fmt.Errorf("%.1f pictures a second, directly %.1f", r.FPS, d.FPS)
		}
		return nil
	}},
	{Name: "an uplink of 500 kbit/s with a queue of 1 s", Up: narrow(500, time.Second), Watch: 30 * time.Second},
	both("2 Mbit/s with a queue of 1 s", narrow(2000, time.Second), nil),
	both("20 ms, and up to 20 more", delay(20*time.Millisecond, 20*time.Millisecond), nil),
	jittery("100 ms, and up to 60 more", delay(100*time.Millisecond, 60*time.Millisecond), endToEnd(100*time.Millisecond)),
	jittery("250 ms, and up to 100 more", delay(250*time.Millisecond, 100*time.Millisecond), nil),
}

// Weathers is a list of comparisons in Markdown.
func Weathers(all []Compared) string {
	var b strings.Builder
	b.WriteString("The same two browsers in turns, directly and over the relay, with the weather on the caller's link alone; medians, as seen by " +
		"whoever receives what came through it. A gap is the longest time without a new picture.\n\n")
	b.WriteString("| weather | who sees | way | pictures a second, seen / sent | kbit/s of pictures | freezes a minute | gap | sound made up | sent, kbit/s | round trip | |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, c := range all {
		verdict := "ok"
		if c.Fault != "" {
			verdict = "**" + oneLine(c.Fault) + "**"
		}
		for end, who := range []string{"caller", "callee"} {
			if !c.meets(end) {
				continue
			}
			for way, name := range ways {
				s := c.Ways[way][end]
				sent := fmt.Sprintf("%.0f", s.Out)
				if s.Under > 0 {
					sent += fmt.Sprintf(", in limits after %.1f s", s.Under)
				}
				fmt.Fprintf(&b, "| %s | %s | %s | %.1f / %.1f | %.0f | %.1f | %.0f ms | %.1f %% | %s | %.0f ms | %s |\n",
					c.Name, who, name, s.FPS, s.Sent, s.KBits, s.Freezes, s.Longest, s.Concealed, sent, s.Trip, verdict)
			}
		}
	}
	return b.String()
}
