package relay

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

// offerOf is Chromium's offer of a connection of its own.
func offerOf(session int) string {
	return strings.Replace(strings.ReplaceAll(chromeOffer, "\n", "\r\n"), "o=- 4611731400430051336", fmt.Sprintf("o=- %d", session), 1)
}

// An offer that waits for the other party and is replaced meanwhile has no answer, and that is no failure: the error of one
// offer ends the relaying of the call.
func TestNewerOffer(t *testing.T) {
	s := start(t, nil)
	if err := s.Open("c_1", nil); err != nil {
		t.Fatal(err)
	}
	type outcome struct {
		answer string
		err    error
	}
	first := make(chan outcome)
	go func() {
		answer, err := s.Answer(context.Background(), "c_1", "alice", offerOf(1))
		first <- outcome{answer, err}
	}()
	r := s.room("c_1")
	waiting := func() *offer {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.offers[0]
	}
	until(t, "the first offer to wait", func() bool { return waiting() != nil })
	older := waiting()
	a, b := join(t, s, "c_1", "alice", clientOptions{}), join(t, s, "c_1", "bob", clientOptions{})
	// Bob's offer ends the waiting, so it comes when the newer one has taken the first one's place.
	newer := make(chan error, 1)
	go func() { newer <- a.negotiate(nil) }()
	until(t, "the newer offer to wait", func() bool { return waiting() != older })
	connect(t, b)
	if err := <-newer; err != nil {
		t.Fatal(err)
	}
	until(t, "alice to connect", func() bool { return a.pc.ConnectionState() == webrtc.PeerConnectionStateConnected })
	if got := <-first; got.answer != "" || got.err != nil {
		t.Errorf("the first offer: %q, %v", got.answer, got.err)
	}
	talk(t, a, b)
}
