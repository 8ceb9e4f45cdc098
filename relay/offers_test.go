package relay

import (
	"context"
	"fmt"
	"strings"
	"testing"
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
	until(t, "the first offer to wait", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.offers[0] != nil
	})
	a, b := join(t, s, "c_1", "alice", clientOptions{}), join(t, s, "c_1", "bob", clientOptions{})
	connect(t, a, b)
	if got := <-first; got.answer != "" || got.err != nil {
		t.Errorf("the first offer: %q, %v", got.answer, got.err)
	}
	talk(t, a, b)
}
