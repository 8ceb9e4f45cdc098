package signaling

// This file tests what signaling asks of the relay and of TURN, and in which order.

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// neighbour writes down what it is asked, as the relay and as TURN.
type neighbour struct {
	mode string

	mu    sync.Mutex
	asked []string
	tell  map[string]func(event, user, detail string)
	full  bool
	hold  chan struct{} // answers wait for it

	legs      map[string]bool // connected
	announced []netip.Addr
	refused   []int // by TURN, everybody
}

func (n *neighbour) note(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, fmt.Sprintf(format, args...))
}

func (n *neighbour) take() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := strings.Join(n.asked, "; ")
	n.asked = nil
	return s
}

func (n *neighbour) Mode() (string, time.Duration) { return n.mode, 3 * time.Second }
func (n *neighbour) Reserve(call string, users [2]string, from [2]netip.Addr, tell func(event, user, detail string)) error {
	if users[0] == users[1] {
		n.note("open one")
	} else {
		n.note("open")
	}
	if n.full {
		return errors.New("the relay is full")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.tell == nil {
		n.tell = map[string]func(event, user, detail string){}
	}
	n.tell[call] = tell
	return nil
}

func (n *neighbour) Offer(call, user, offer string) error {
	n.note("answer %s %s", user, offer)
	n.mu.Lock()
	tell := n.tell[call]
	n.mu.Unlock()
	switch {
	case offer == "overtaken":
		tell("superseded", user, "")
	case offer == "bad":
		tell("refused", user, "secret details")
	case offer == "unfit":
		tell("unfit", user, "it has no fingerprint")
	case n.hold != nil:
		go func() {
			<-n.hold
			tell("answered", user, "sdp of the relay")
		}()
	default:
		tell("answered", user, "sdp of the relay")
	}
	return nil
}

func (n *neighbour) Candidate(call, party, json string) error {
	n.note("candidate %s %s", party, json)
	return nil
}
func (n *neighbour) Mute(call, party, kind string, on bool) { n.note("mute %s %s %v", party, kind, on) }
func (n *neighbour) Close(call string)                      { n.note("close") }
func (n *neighbour) Connected(call, party string) bool      { return n.legs[party] }
func (n *neighbour) Announced() []netip.Addr                { return n.announced }

// ledger is TURN's half: its Candidate has another form.
type ledger struct{ *neighbour }

func (l ledger) ICEServers(user, host string) ([]string, string, string, time.Time) {
	return []string{"stun:" + host + ":3478", "turn:" + host + ":3478?transport=udp", "turn:" + host + ":3478?transport=tcp"}, "99:" + user, "secret", time.Now().Add(time.Hour)
}
func (l ledger) CallStarted(call, a, b string)             { l.note("started %s %s", a, b) }
func (l ledger) Candidate(call, user, ip string)           { l.note("%s at %s", user, ip) }
func (l ledger) Seen(call, user, ip string)                { l.note("%s comes from %s", user, ip) }
func (l ledger) CallEnded(call string)                     { l.note("ended") }
func (l ledger) UserStatus(string) ([]string, bool, []int) { return nil, false, l.refused }

func TestTURNHearsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &neighbour{}
		w := newWorld(t, func(_ *Config, d *Deps) { d.TURN = ledger{n} })
		a := w.dial(fromIP("192.0.2.1"))
		welcome := a.joins("Ann")
		want := msg{"a": []any{msg{"urls": []any{"stun:duet.test:3478"}},
			msg{"urls": []any{"turn:duet.test:3478?transport=udp", "turn:duet.test:3478?transport=tcp"}, "username": "99:" + a.id, "credential": "secret"}}}
		a.equal(msg{"a": welcome["iceServers"]}, want)
		if got := int64(welcome["iceExpiresAt"].(float64)); got != time.Now().Add(time.Hour).UnixMilli() {
			t.Errorf("iceExpiresAt %d", got)
		}
		b := w.dial(fromIP("::ffff:192.0.2.2"))
		b.joins("Bob")
		names := strings.NewReplacer(a.id, "ann", b.id, "bob")
		asked := func() string { return names.Replace(n.take()) }
		a.send(msg{"type": "call", "target": "Bob"})
		b.expect("incomingCall")
		if got := asked(); got != "" {
			t.Errorf("while it rings: %s", got)
		}
		b.send(msg{"type": "callResponse", "accepted": true})
		a.expect("callAnswered")
		if got := asked(); got != "started ann bob; ann comes from 192.0.2.1; bob comes from 192.0.2.2" {
			t.Errorf("on acceptance: %s", got)
		}
		a.send(msg{"type": "offer", "offer": msg{"type": "offer", "sdp": "v=0\r\na=candidate:1 1 udp 1 2001:db8::5 9 typ host\r\na=candidate:1 1 udp 1 abc.local 9 typ host\r\n"}})
		b.expect("offer")
		if got := asked(); got != "ann at 2001:db8::5" {
			t.Errorf("on the offer: %s", got)
		}
		b.send(msg{"type": "iceCandidate", "candidate": msg{"candidate": testCandidate}})
		a.expect("iceCandidate")
		if got := asked(); got != "bob at 192.0.2.7" {
			t.Errorf("on the candidate: %s", got)
		}
		a.send(`{"type":"iceServers","ref":1}`)
		if m := a.expect("iceServers"); len(m["iceServers"].([]any)) != 2 || m.num("iceExpiresAt") == 0 {
			t.Errorf("got %v", m)
		}
		a.send(msg{"type": "endCall"})
		b.expect("callEnded")
		if got := asked(); got != "ended" {
			t.Errorf("at the end: %s", got)
		}
	})
}

// faulty is a TURN server with a bug.
type faulty struct{ ledger }

func (faulty) Candidate(call, user, ip string) {
	if ip == "192.0.2.66" {
		panic("a bug")
	}
}

// TestOwnFault: a fault of ours is an error at one client, and no more.
func TestOwnFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(_ *Config, d *Deps) { d.TURN = faulty{ledger{&neighbour{}}} })
		a, b := w.join("Ann"), w.join("Bob")
		connect(a, b)
		a.send(msg{"type": "iceCandidate", "candidate": msg{"candidate": "candidate:1 1 udp 1 192.0.2.66 9 typ host"}, "ref": "x"})
		if m := a.refused("internal"); m.str("ref") != "x" || m.str("request") != "iceCandidate" {
			t.Errorf("got %v", m)
		}
		a.send(msg{"type": "iceCandidate", "candidate": msg{"candidate": testCandidate}})
		b.expect("iceCandidate")
		a.send(msg{"type": "endCall"})
		b.expect("callEnded")
	})
}

// TestRelayOfferOvertaken: an offer that a newer one replaced is not answered, and the relay is not lost for it.
func TestRelayOfferOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(_ *Config, d *Deps) { d.Relay = &neighbour{mode: "fallback"} })
		a, b := w.join("Ann"), w.join("Bob")
		connect(a, b)
		askForRelay(a, b)
		a.expect("relayStart")
		b.expect("relayStart")
		a.send(msg{"type": "offer", "target": "relay", "offer": msg{"type": "offer", "sdp": "overtaken"}})
		a.nothing(time.Second)
		a.send(msg{"type": "offer", "target": "relay", "offer": msg{"type": "offer", "sdp": "newer"}})
		a.expect("answer")
		b.nothing(time.Second)
	})
}

func TestRelayedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &neighbour{mode: "fallback", hold: make(chan struct{})}
		w := newWorld(t, func(_ *Config, d *Deps) { d.Relay = n })
		a := w.dial()
		if m := a.joins("Ann"); m.str("relay") != "fallback" || m.num("relayAfterMs") != 3000 {
			t.Errorf("got %v", m)
		}
		b := w.join("Bob")
		names := strings.NewReplacer(a.id, "ann", b.id, "bob")
		asked := func() string { synctest.Wait(); return names.Replace(n.take()) }
		call := connect(a, b)
		b.send(msg{"type": "mediaStateChange", "audio": false})
		a.expect("mediaStateChange")
		a.send(msg{"type": "iceCandidate", "target": "relay", "candidate": nil})
		m := a.expect("relayFailed")
		if m.str("code") != "relay-unavailable" || m.str("callId") != call || m.str("message") == "" {
			t.Errorf("got %v", m)
		}
		a.send(msg{"type": "relayRequest", "reason": "ice-timeout"})
		synctest.Wait()
		b.send(msg{"type": "relayRequest", "reason": "ice-failed"})
		start := msg{"type": "relayStart", "callId": call, "reason": "ice-timeout"}
		a.equal(a.expect("relayStart"), start)
		b.equal(b.expect("relayStart"), start)
		if got := asked(); got != "open; mute ann audio true; mute ann video true; mute ann screen false; mute bob audio false; mute bob video true; mute bob screen false" {
			t.Errorf("at the start: %s", got)
		}
		a.send(msg{"type": "offer", "target": "Relay", "offer": msg{"type": "offer", "sdp": "offer of ann"}})
		first := asked()
		a.send(msg{"type": "iceCandidate", "target": "relay", "candidate": msg{"candidate": testCandidate}})
		a.send(msg{"type": "iceCandidate", "target": "relay", "candidate": nil})
		if got := first + "; " + asked(); got != `answer ann offer of ann; candidate ann {"candidate":"`+testCandidate+`"}; candidate ann null` {
			t.Errorf("negotiating: %s", got)
		}
		a.send(`{"type":"ping"}`) // nobody waits for the relay
		a.expect("pong")
		close(n.hold)
		a.equal(a.expect("answer"), msg{"type": "answer", "answer": msg{"type": "answer", "sdp": "sdp of the relay"}, "sender": "relay", "senderId": "relay", "callId": call})
		n.tell[call]("ready", "", "")
		a.equal(a.expect("relayReady"), msg{"type": "relayReady", "callId": call})
		b.expect("relayReady")
		a.send(msg{"type": "mediaStateChange", "mediaType": "video", "enabled": false})
		b.expect("mediaStateChange")
		if got := asked(); got != "mute ann video false" {
			t.Errorf("muting: %s", got)
		}
		a.send(msg{"type": "offer", "target": "relay", "offer": msg{"type": "offer", "sdp": "bad"}, "ref": "again"})
		a.equal(a.expect("error"), msg{"type": "error", "code": "bad-message", "message": "the relay cannot answer this offer", "request": "offer", "ref": "again"})
		a.send(msg{"type": "offer", "target": "relay", "offer": msg{"type": "offer", "sdp": "unfit"}, "ref": "still"})
		a.equal(a.expect("error"), msg{"type": "error", "code": "bad-message", "message": "it has no fingerprint", "request": "offer", "ref": "still"})
		a.send(msg{"type": "offer", "target": "relay", "offer": msg{"type": "offer", "sdp": "better"}})
		a.expect("answer")
		b.send(msg{"type": "offer", "target": "relay", "offer": msg{"type": "offer", "sdp": "bad"}})
		failed := msg{"type": "relayFailed", "callId": call, "code": "relay-failed", "message": "the relay could not answer"}
		a.equal(a.expect("relayFailed"), failed)
		b.equal(b.expect("relayFailed"), failed)
		a.send(msg{"type": "relayRequest", "reason": "user"})
		a.expect("relayStart")
		b.expect("relayStart")
		b.send(msg{"type": "relayStop"})
		a.equal(a.expect("relayStop"), msg{"type": "relayStop", "callId": call})
		n.full = true
		a.send(msg{"type": "relayRequest", "reason": "user"})
		if m := a.expect("relayFailed"); m.str("code") != "relay-unavailable" || m.str("message") != "the relay is full" {
			t.Errorf("got %v", m)
		}
		n.full = false
		a.send(msg{"type": "relayRequest", "reason": "user"})
		a.expect("relayStart")
		b.expect("relayStart")
		n.take()
		n.tell[call]("failed", "", "out of ports")
		b.expect("relayFailed")
		if m := a.expect("relayFailed"); m.str("message") != "out of ports" {
			t.Errorf("got %v", m)
		}
		a.send(msg{"type": "relayRequest", "reason": "user"})
		a.expect("relayStart")
		b.expect("relayStart")
		a.send(msg{"type": "endCall"})
		b.expect("callEnded")
		if got := asked(); !strings.HasPrefix(got, "close; open; ") || !strings.HasSuffix(got, "; close") {
			t.Errorf("at the end: %s", got)
		}
		n.tell[call]("ready", "", "")
		a.nothing(time.Second)
		b.nothing(0)
	})
}

// TestMutingCostsOneMessage: neither party gets a new token for it.
func TestMutingCostsOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(_ *Config, d *Deps) { d.Relay = &neighbour{mode: "fallback"} })
		a, b := w.join("Ann", "resume", "presence-none"), w.join("Bob", "resume", "presence-none")
		connect(a, b)
		askForRelay(a, b)
		b.expect("relayStart")
		a.expect("relayStart")
		synctest.Wait()
		for _, x := range []*client{a, b} {
			for len(x.in) > 0 {
				<-x.in
			}
		}
		a.send(msg{"type": "mediaStateChange", "video": false})
		synctest.Wait()
		if len(a.in) != 0 || len(b.in) != 1 {
			t.Errorf("the one who mutes gets %d messages, the other %d", len(a.in), len(b.in))
		}
	})
}

func TestRelayAlways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, turn := &neighbour{mode: "always"}, &neighbour{}
		w := newWorld(t, func(_ *Config, d *Deps) { d.Relay, d.TURN = n, ledger{turn} })
		a, b, c := w.join("Ann", "call-state"), w.join("Bob", "call-state"), w.join("Plain")
		call := connect(a, b)
		for _, x := range []*client{a, b} {
			x.expect("callStarted")
			x.equal(x.expect("relayStart"), msg{"type": "relayStart", "callId": call, "reason": "always"})
		}
		for _, x := range []*client{a, b} {
			for _, way := range []string{
				`{"type":"offer","offer":{"type":"offer","sdp":"a=candidate:1 1 udp 1 198.51.100.7 9 typ host"}}`,
				`{"type":"answer","answer":{"type":"answer","sdp":"a=candidate:1 1 udp 1 198.51.100.7 9 typ host"}}`,
				`{"type":"iceCandidate","candidate":{"candidate":"candidate:1 1 udp 1 198.51.100.7 9 typ host"}}`,
				`{"type":"iceCandidate","candidate":null}`,
				`{"type":"relayStop"}`,
			} {
				x.send(way)
				x.refused("relay-only")
			}
		}
		if got, want := turn.take(), "started "+a.id+" "+b.id; got != want {
			t.Errorf("TURN was told %s, want %s", got, want)
		}
		a.send(msg{"type": "endCall"})
		b.expect("callEnded")
		for _, plain := range [][2]*client{{a, c}, {c, a}} {
			plain[0].send(msg{"type": "call", "target": plain[1].name})
			if m := plain[0].expect("callAnswered"); m.str("reason") != "unavailable" || m.flag("accepted") {
				t.Errorf("%s calls %s: %v", plain[0].name, plain[1].name, m)
			}
			plain[1].nothing(time.Second)
		}
	})
}
