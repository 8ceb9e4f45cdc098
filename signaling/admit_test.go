package signaling

// Rates of users and addresses, and what the configuration may say.

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRateOfAddress: connecting anew does not refill what an address may send.
func TestRateOfAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.Rate, c.Burst = 0.01, 2 }) // 200 messages for an address
		passed := 0
		for i := range 150 {
			c := w.dial(fromIP("192.0.2.1"))
			c.send(`{"type":"ping"}`)
			c.send(`{"type":"ping"}`)
			for range 2 {
				if c.next().typ() == "pong" {
					passed++
				}
			}
			c.ws.Close()
			if i == 0 {
				c := w.dial(fromIP("192.0.2.1"))
				for range 3 {
					c.send(`{"type":"ping"}`)
				}
				c.expect("pong")
				c.expect("pong")
				c.refused("rate-limited")
				passed += 2
				c.ws.Close()
			}
		}
		if passed < 200 || passed > 205 {
			t.Errorf("%d messages passed", passed)
		}
		other := w.dial(fromIP("192.0.2.2"))
		other.send(`{"type":"ping"}`)
		other.expect("pong")
	})
}

// TestRateSurvivesResume: a session has one budget, whatever its connection.
func TestRateSurvivesResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config, _ *Deps) { c.Rate, c.Burst = 1, 10 })
		a := w.join("Ann", "resume", "presence-none")
		for range 9 {
			a.send(`{"type":"ping"}`)
			a.expect("pong")
		}
		a, _ = w.resumes(a, 0)
		a.send(`{"type":"ping"}`)
		if m := a.refused("rate-limited"); m.num("retryAfterMs") < 1 || m.num("retryAfterMs") > 1000 {
			t.Errorf("got %v", m)
		}
		time.Sleep(time.Second)
		a.send(`{"type":"ping"}`)
		a.expect("pong")
	})
}

func TestConfigFaults(t *testing.T) {
	cfg := DefaultConfig()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	cfg.RingTimeout, cfg.IdleTimeout, cfg.OutboxMessages, cfg.Rate, cfg.TrustedProxies, cfg.Join.Mode = -1, cfg.PingInterval, 0, 0, []string{"10.0.0.0"}, "maybe"
	err := cfg.Validate()
	for _, key := range []string{"ring_timeout", "idle_timeout", "outbox_messages", "rate", "trusted_proxies", "join.mode"} {
		if !strings.Contains(fmt.Sprint(err), "signaling."+key+": ") {
			t.Errorf("no fault of %s in %v", key, err)
		}
	}
}
