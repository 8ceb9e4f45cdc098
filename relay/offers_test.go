package relay

// The order of offers, and those that cannot be answered.

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"duet/relay/plane"
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

// Offers are answered in the order in which they came, each once; of those that waited only the newest.
func TestOffersInOrder(t *testing.T) {
	s := start(t, nil)
	e := &events{}
	if err := s.Reserve("c_1", [2]string{"alice", "bob"}, [2]netip.Addr{}, e.tell); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := s.Offer("c_1", "alice", offerOf(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Offer("c_1", "carol", offerOf(9)); err == nil {
		t.Error("a third user's offer was taken")
	}
	if err := s.Offer("c_1", "bob", "junk"); err != nil {
		t.Fatal(err)
	}
	if err := s.Offer("c_1", "bob", offerOf(7)); err != nil {
		t.Fatal(err)
	}
	until(t, "all answers", func() bool { return e.count() == 7 })
	e.mu.Lock()
	defer e.mu.Unlock()
	want := []string{"superseded alice", "superseded alice", "superseded alice", "superseded alice", "unfit bob the offer is not valid SDP", "answered alice", "answered bob"}
	for i, got := range e.seen {
		if !strings.HasPrefix(got, want[i]) {
			t.Errorf("event %d is %.60q, want %q", i, got, want[i])
		}
	}
}

// A leg that was replaced while it was answered does not come back into the translator: its successor's numbers would begin
// anew under keys that have sealed them.
func TestReplacedLegIsNotInstalled(t *testing.T) {
	s := start(t, nil)
	pair(t, s, clientOptions{})
	r := s.room("c_1")
	old := r.leg(0)
	now, fresh := r.place(0, "another association")
	if !fresh || now == old {
		t.Fatal("no new leg")
	}
	if r.install(old, &plane.Leg{ID: old.id}) {
		t.Error("a leg that was replaced was installed")
	}
	if !r.install(now, &plane.Leg{ID: now.id}) {
		t.Error("the room's leg was not installed")
	}
	r.lost(now)
	if r.install(now, &plane.Leg{ID: now.id}) {
		t.Error("a lost leg was installed")
	}
}

// The caller of Mute has a lock: the request for a key frame is sent by the room's goroutine.
func TestMuteSendsNothingItself(t *testing.T) {
	s := start(t, nil)
	a, b, _ := pair(t, s, clientOptions{})
	talk(t, a, b)
	r := s.room("c_1")
	stuck, in := make(chan struct{}), make(chan struct{})
	r.do(func() { close(in); <-stuck })
	<-in
	requests := func() uint64 { return r.tr.Counts(0).KeyRequests + r.tr.Counts(1).KeyRequests }
	before := requests()
	s.Mute("c_1", "alice", "video", false)
	s.Mute("c_1", "alice", "video", true)
	if requests() != before {
		t.Error("the caller sent the request")
	}
	close(stuck)
	until(t, "the request", func() bool { return requests() > before })
}

// Nothing is told after Close.
func TestSilenceAfterClose(t *testing.T) {
	s := start(t, nil)
	e := &events{}
	if err := s.Reserve("c_1", [2]string{"alice", "bob"}, [2]netip.Addr{}, e.tell); err != nil {
		t.Fatal(err)
	}
	r := s.room("c_1")
	stuck, in := make(chan struct{}), make(chan struct{})
	r.do(func() { close(in); <-stuck })
	<-in
	for _, who := range []string{"alice", "bob"} {
		if err := s.Offer("c_1", who, offerOf(1)); err != nil {
			t.Fatal(err)
		}
	}
	s.Close("c_1")
	close(stuck)
	until(t, "the room's end", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return !r.working })
	if n := e.count(); n != 0 {
		t.Errorf("%d things were told after Close", n)
	}
}
