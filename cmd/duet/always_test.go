package main

// What relay.mode always promises, with the real program: an address goes to nobody but the relay.

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// talker is a WebSocket client that does as it likes.
type talker struct {
	t     *testing.T
	ws    *websocket.Conn
	heard strings.Builder // all that it was told
}

func talk(t *testing.T, page, join string) *talker {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(page, "http")+"/ws", http.Header{"Origin": {page}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	ws.SetReadDeadline(time.Now().Add(30 * time.Second))
	k := &talker{t: t, ws: ws}
	k.say(join)
	return k
}

func (k *talker) say(text string) {
	k.t.Helper()
	if err := k.ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		k.t.Fatal(err)
	}
}

// hears waits for a message of a type.
func (k *talker) hears(kind string) map[string]any {
	k.t.Helper()
	for {
		_, data, err := k.ws.ReadMessage()
		if err != nil {
			k.t.Fatalf("no %s came: %v; heard %s", kind, err, k.heard.String())
		}
		k.heard.Write(append(data, '\n'))
		var m map[string]any
		if err := json.Unmarshal(data, &m); err != nil {
			k.t.Fatal(err)
		}
		if m["type"] == kind {
			return m
		}
	}
}

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
