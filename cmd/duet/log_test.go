package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"duet/configs"
)

// TestLogIsSparing: a client that comes and goes all the time writes no more than an honest crowd.
func TestLogIsSparing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := newLogger(configs.Log{Level: "info", Format: "text"}, &out)
		part := log.With("part", "signaling")
		for i := range 5000 {
			part.Info("session joined", "id", i)
		}
		part.Info("call accepted")
		if n := strings.Count(out.String(), "session joined"); n != logBurst {
			t.Errorf("%d lines, want %d", n, logBurst)
		}
		if !strings.Contains(out.String(), "call accepted") {
			t.Error("one message keeps another out")
		}
		out.Reset()
		time.Sleep(time.Second)
		for range 100 {
			log.Info("session joined")
		}
		if n := strings.Count(out.String(), "session joined"); n != logRate {
			t.Errorf("%d lines in a second, want %d", n, logRate)
		}
		if !strings.Contains(strings.SplitN(out.String(), "\n", 2)[0], "left_out=4800") {
			t.Errorf("the first line does not say how many were left out: %s", out.String())
		}
		out.Reset()
		all := newLogger(configs.Log{Level: "debug", Format: "json"}, &out)
		for range 1000 {
			all.Debug("frame")
		}
		if n := strings.Count(out.String(), "\n"); n != 1000 {
			t.Errorf("%d lines at level debug, want all", n)
		}
	})
}
