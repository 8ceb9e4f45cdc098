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

// A later offer that cannot be answered is refused, and the call goes on as it was.
func TestBadLaterOffer(t *testing.T) {
	s := start(t, nil)
	a, b, e := pair(t, s, clientOptions{})
	talk(t, a, b)
	before := s.room("c_1").leg(0)
	good, err := a.pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	video := strings.Index(good.SDP, "m=video")
	for name, bad := range map[string]string{
		"no SDP":                               "junk",
		"a codec that the other does not have": strings.ReplaceAll(good.SDP, "VP8/90000", "H264/90000"),
		"no codec at all":                      strings.NewReplacer("/90000", "/1", "/48000", "/1", "/8000", "/1").Replace(good.SDP),
		"a section less":                       good.SDP[:video],
		"the sections in another order":        good.SDP[:strings.Index(good.SDP, "m=audio")] + good.SDP[video:] + good.SDP[strings.Index(good.SDP, "m=audio"):video],
	} {
		if answer, err := s.Answer(context.Background(), "c_1", a.name, bad); err == nil {
			t.Errorf("%s: answered\n%s", name, answer)
		}
		if now := s.room("c_1").leg(0); now != before {
			t.Fatalf("%s: the leg is gone", name)
		}
		n, m := len(a.received("video")), len(b.received("video"))
		until(t, "media after "+name, func() bool {
			a.send("video", keyPayload)
			b.send("video", keyPayload)
			return len(a.received("video")) > n+3 && len(b.received("video")) > m+3
		})
	}
	if err := a.negotiate(&webrtc.OfferOptions{ICERestart: true}); err != nil {
		t.Errorf("a good offer after the bad ones: %v", err)
	}
	n := len(b.received("audio"))
	until(t, "audio after the restart", func() bool { a.send("audio", []byte("a")); return len(b.received("audio")) > n+5 })
	if e.has("failed") {
		t.Errorf("events %q", e.seen)
	}
}
