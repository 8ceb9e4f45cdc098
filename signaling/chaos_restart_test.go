package signaling

// This file kills the server at random while scripts run. What it had in memory
// is lost then, and may be; but everybody comes back, and in the end both sides
// of each call agree on it.

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func TestChaosRestart(t *testing.T) {
	survived := 0
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(c *Config, _ *Deps) { c.RingTimeout = 20 * time.Second })
			rng := rand.New(rand.NewPCG(seed, 99))
			p := &play{t: t, seed: seed, rng: rng, w: w}
			for i := range 3 {
				s := newSteady(w, fmt.Sprint("user ", i), "presence-none", "call-state")
				s.start()
				p.who = append(p.who, &chaotic{steady: s, over: map[string]bool{}})
			}
			for _, c := range p.who {
				c.await("welcome", 1)
			}
			for range 3 {
				for range rng.IntN(30) {
					p.act()
					if rng.IntN(3) > 0 {
						time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond)
					}
				}
				w.kill()
				w.start()
				time.Sleep(time.Duration(rng.IntN(2000)) * time.Millisecond)
			}
			time.Sleep(time.Minute) // graces and rings are over
			synctest.Wait()
			for _, c := range p.who {
				c.cut() // the token it has now is all it needs
			}
			time.Sleep(5 * time.Second)
			survived += p.agree()
			for _, c := range p.who {
				c.stop()
			}
		})
	}
	if survived < 5 {
		t.Errorf("%d calls survived in all the scripts", survived)
	}
}

// agree compares what the last welcome of each client says, and counts the calls.
func (p *play) agree() int {
	in := map[string][]string{}
	for _, c := range p.who {
		c.mu.Lock()
		var welcome msg
		for _, m := range c.steady.heard {
			if m.typ() == "welcome" {
				welcome = m
			}
		}
		if c.restored == 0 || !c.ready {
			p.t.Errorf("seed %d: %s did not come back: %v", p.seed, c.name, c.faults)
		}
		if call := welcome.obj("call"); call != nil {
			id := call.str("callId")
			in[id] = append(in[id], c.name, call.str("peer"))
		}
		c.mu.Unlock()
	}
	for id, who := range in {
		if len(who) != 4 || who[0] != who[3] || who[1] != who[2] {
			p.t.Errorf("seed %d: of call %s the parties say %q", p.seed, id, who)
		}
	}
	p.w.hub.mu.Lock()
	defer p.w.hub.mu.Unlock()
	if got := len(p.w.hub.sessions); got != len(p.who) {
		p.t.Errorf("seed %d: %d sessions", p.seed, got)
	}
	if got := p.w.hub.machine.Calls(); got != len(in) {
		p.t.Errorf("seed %d: %d calls, the clients know %d", p.seed, got, len(in))
	}
	return len(in)
}
