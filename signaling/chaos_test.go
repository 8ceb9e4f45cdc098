package signaling

// This file plays random scripts: three clients call each other, talk and hang
// up while their connections are cut, delayed and taken over at random. Each
// client checks that it gets every number once and in order; at the end all of
// what was said must have been heard, and both sides must agree on the call.

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var chaosSeed = flag.Uint64("chaos.seed", 0, "play only the script of this seed")

// TestChaos plays 10,000 scripts, or the first 500 of them, a hundred at a time in one world.
func TestChaos(t *testing.T) {
	if *chaosSeed != 0 {
		synctest.Test(t, func(t *testing.T) { chaosWorld(t, *chaosSeed, 1) })
		return
	}
	worlds := 5
	if os.Getenv("DUET_TEST_ALL") != "" {
		worlds = 100
	}
	for i := range worlds {
		synctest.Test(t, func(t *testing.T) { chaosWorld(t, uint64(1+i*100), 100) })
		if t.Failed() {
			return
		}
	}
}

func chaosWorld(t *testing.T, seed uint64, scripts int) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.RingTimeout = 20 * time.Second })
	var work sync.WaitGroup
	var mu sync.Mutex
	done := map[string]int{}
	for i := range scripts {
		work.Go(func() {
			p := &play{t: t, seed: seed + uint64(i), rng: rand.New(rand.NewPCG(seed+uint64(i), 7)), w: w}
			p.run()
			mu.Lock()
			defer mu.Unlock()
			for _, c := range p.who {
				for _, m := range c.steady.heard {
					done[m.typ()]++
				}
			}
		})
	}
	work.Wait()
	for _, typ := range []string{"incomingCall", "callAnswered", "iceCandidate", "callEnded", "error", "welcome"} {
		if done[typ] < scripts/10 {
			t.Errorf("seed %d: the scripts saw only %v", seed, done)
		}
	}
}

// play is one script.
type play struct {
	t    *testing.T
	seed uint64
	rng  *rand.Rand
	w    *world
	who  []*chaotic
	said int
}

// chaotic is a client and what it believes.
type chaotic struct {
	*steady
	over map[string]bool // calls that it ended itself; guarded by steady.mu
}

func (p *play) run() {
	for i := range 3 {
		feats := []string{"presence-none"}
		if p.rng.IntN(2) == 0 {
			feats = append(feats, "call-state")
		}
		s := newSteady(p.w, fmt.Sprintf("%d of %d", i, p.seed), feats...)
		away := rand.New(rand.NewPCG(p.seed, uint64(i)))
		s.away = func() time.Duration { return time.Duration(away.IntN(3000)) * time.Millisecond } // never the whole grace
		s.start()
		p.who = append(p.who, &chaotic{steady: s, over: map[string]bool{}})
	}
	for _, c := range p.who {
		c.await("welcome", 1)
	}
	for range 20 + p.rng.IntN(60) {
		p.act()
		if p.rng.IntN(3) > 0 {
			time.Sleep(time.Duration(p.rng.IntN(200)) * time.Millisecond)
		}
	}
	// Let the dust settle: everybody comes back and acknowledges.
	time.Sleep(10 * time.Second)
	for _, c := range p.who {
		c.say(msg{"type": "iceServers"})
	}
	time.Sleep(5 * time.Second)
	p.check()
	for _, c := range p.who {
		c.stop()
	}
}

func (p *play) act() {
	c := p.who[p.rng.IntN(len(p.who))]
	other := p.who[p.rng.IntN(len(p.who))]
	switch n := p.rng.IntN(100); {
	case n < 18:
		c.say(msg{"type": "call", "target": other.name})
	case n < 36:
		if call := c.current(); call != "" {
			c.say(msg{"type": "callResponse", "accepted": true, "callId": call})
		}
	case n < 60:
		p.said++
		c.say(msg{"type": "iceCandidate", "candidate": msg{"candidate": fmt.Sprint(p.said)}})
	case n < 66:
		c.say(msg{"type": "mediaStateChange", "audio": p.rng.IntN(2) == 0})
	case n < 71:
		if call := c.current(); call != "" {
			c.say(msg{"type": "endCall", "callId": call})
			c.mu.Lock()
			c.over[call] = true
			c.mu.Unlock()
		}
	case n < 74:
		c.say(msg{"type": "nonsense"})
	case n < 80:
		c.mu.Lock()
		if c.ready {
			c.write(msg{"type": "ping", "ack": c.seen})
		}
		c.mu.Unlock()
	case n < 92:
		c.cut()
	default:
		c.takeOver()
	}
}

func (c *chaotic) current() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.believes()
}

// takeOver opens a second connection while the first still looks open.
func (s *steady) takeOver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready && !s.stopped {
		s.loops.Go(s.connection)
	}
}

// check compares what was said with what was heard.
func (p *play) check() {
	fault := func(format string, args ...any) {
		p.t.Errorf("seed %d: "+format, append([]any{p.seed}, args...)...)
	}
	h := p.w.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range p.who {
		c.mu.Lock()
		if len(c.faults) > 0 {
			fault("%v", c.faults)
		}
		s := h.sessions[c.id]
		switch {
		case s == nil:
			fault("%s has lost its session", c.name)
		case s.recvSeq != uint64(c.sent):
			fault("%s said %d things, %d were processed", c.name, c.sent, s.recvSeq)
		case s.sentSeq != uint64(c.seen):
			fault("%s was told %d things and heard %d", c.name, s.sentSeq, c.seen)
		default:
			// What the client concludes from all it heard is what the server knows; a
			// caller may not know the id of its call while it rings.
			got, want := c.believes(), ""
			if s.Call != nil {
				want = s.Call.ID
			}
			if got != want && !(got == "" && !s.Call.Accepted() && s.Side == 0) {
				fault("%s believes in call %q, but is in %q", c.name, got, want)
			}
		}
		c.mu.Unlock()
	}
	p.candidates(fault)
}

// believes is the call that a client is in, by the messages it heard and what
// it ended itself; c.mu is held.
func (c *chaotic) believes() (call string) {
	for _, m := range c.steady.heard {
		switch id := m.str("callId"); m.typ() {
		case "incomingCall", "ringing":
			call = id
		case "callAnswered":
			if m.flag("accepted") {
				call = id
			} else if id == call {
				call = ""
			}
		case "callEnded":
			if id == call {
				call = ""
			}
		}
		if c.over[call] {
			call = ""
		}
	}
	if c.over[call] {
		return ""
	}
	return call
}

// candidates: in each call and direction the numbers that arrive are those that
// were said, in order, without a gap between the first and the last and never twice.
func (p *play) candidates(fault func(string, ...any)) {
	heardBy := map[string]string{} // candidate to call, everywhere
	for _, c := range p.who {
		c.mu.Lock()
		last := map[string]int{} // by call
		for _, m := range c.steady.heard {
			if m.typ() != "iceCandidate" {
				continue
			}
			n := 0
			fmt.Sscan(m.obj("candidate").str("candidate"), &n)
			call := m.str("callId")
			if n <= last[call] {
				fault("%s heard candidate %d after %d in %s", c.name, n, last[call], call)
			}
			last[call] = n
			key := fmt.Sprint(n)
			if heardBy[key] != "" {
				fault("candidate %d was heard twice", n)
			}
			heardBy[key] = call
		}
		c.mu.Unlock()
	}
}
