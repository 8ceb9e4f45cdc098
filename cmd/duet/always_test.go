package main

// What relay.mode always promises, with the real program: an address goes to nobody but the relay.

import (
	"strings"
	"testing"
)

// TestRelayAlwaysHidesAddresses: whatever a dishonest client tries, and even where the honest one would answer, it hears
// of no address of the other's.
func TestRelayAlwaysHidesAddresses(t *testing.T) {
	s := start(t, duet(t, []string{"DUET_RELAY_MODE=always"}))
	const secret = "198.51.100.77"
	sdp := `"v=0\r\no=- 1 1 IN IP4 ` + secret + `\r\ns=-\r\nt=0 0\r\na=candidate:1 1 udp 1 ` + secret + ` 5000 typ host\r\n"`
	plain := talk(t, s.page, `{"type":"join","username":"Old"}`)
	honest := talk(t, s.page, `{"type":"join","username":"Ann","features":["call-state"]}`)
	dishonest := talk(t, s.page, `{"type":"join","username":"Eve","features":["call-state"]}`)
	for _, k := range []*talker{plain, honest, dishonest} {
		k.hears("welcome")
	}

	plain.say(`{"type":"call","target":"Ann"}`)
	if m := plain.hears("callAnswered"); m["reason"] != "unavailable" {
		t.Errorf("a call of a client that does not know the relay: %v", m)
	}
	dishonest.say(`{"type":"call","target":"Ann"}`)
	honest.hears("incomingCall")
	honest.say(`{"type":"callResponse","accepted":true}`)
	dishonest.hears("relayStart")
	honest.hears("relayStart")
	for _, way := range []string{
		`{"type":"offer","offer":{"type":"offer","sdp":"v=0\r\n"}}`,
		`{"type":"offer","target":"Ann","offer":{"type":"offer","sdp":"v=0\r\n"}}`,
		`{"type":"relayStop"}`,
		`{"type":"iceCandidate","candidate":null}`,
	} {
		dishonest.say(way)
		if m := dishonest.hears("error"); m["code"] != "relay-only" {
			t.Errorf("%s: %v", way, m)
		}
	}
	for _, way := range []string{
		`{"type":"offer","offer":{"type":"offer","sdp":` + sdp + `}}`,
		`{"type":"answer","answer":{"type":"answer","sdp":` + sdp + `}}`,
		`{"type":"iceCandidate","candidate":{"candidate":"candidate:1 1 udp 1 ` + secret + ` 5000 typ host"}}`,
	} {
		honest.say(way)
		if m := honest.hears("error"); m["code"] != "relay-only" {
			t.Errorf("%s: %v", way, m)
		}
	}
	honest.say(`{"type":"offer","target":"relay","offer":{"type":"offer","sdp":` + sdp + `}}`)
	honest.say(`{"type":"iceCandidate","target":"relay","candidate":{"candidate":"candidate:1 1 udp 1 ` + secret + ` 5000 typ host"}}`)
	honest.say(`{"type":"endCall"}`)
	dishonest.hears("callEnded")
	if strings.Contains(dishonest.heard.String(), secret) {
		t.Errorf("the other's address was told:\n%s", dishonest.heard.String())
	}
}
