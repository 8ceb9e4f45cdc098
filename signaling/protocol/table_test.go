package protocol

// This file holds the table true: a decoder reads the keys that its row names,
// and nothing else.

import (
	"encoding/json"
	"reflect"
	"testing"
)

// complete has a frame for each message that clients send, with all its keys.
var complete = map[string]string{
	"join":             `{"username":"Ann","token":"t","features":["resume"]}`,
	"resume":           `{"session":"s","ack":3,"token":"t"}`,
	"leave":            `{}`,
	"ping":             `{"t":5}`,
	"pong":             `{}`,
	"iceServers":       `{}`,
	"call":             `{"target":"b","media":{"audio":true}}`,
	"callResponse":     `{"accepted":true,"reason":"unavailable","note":"in-an-hour"}`,
	"offer":            `{"offer":{"type":"offer","sdp":"a=candidate:1 1 udp 1 192.0.2.1 5 typ srflx"}}`,
	"answer":           `{"answer":{"type":"answer","sdp":"a=candidate:1 1 udp 1 192.0.2.1 5 typ srflx"}}`,
	"iceCandidate":     `{"candidate":{"candidate":"candidate:1 1 udp 1 192.0.2.1 5 typ srflx"}}`,
	"mediaStateChange": `{"audio":true,"video":true,"screen":true,"mediaType":"audio","enabled":true,"audioCause":"missing","videoCause":"muted"}`,
	"ringing":          `{}`,
	"endCall":          `{}`,
	"mediaConnected":   `{"path":"direct","candidateType":"host","protocol":"udp","setupMs":1}`,
	"callStats":        `{"path":"turn","rttMs":1,"lossPct":2,"jitterMs":3,"bitrateKbps":4}`,
	"relayRequest":     `{"reason":"user"}`,
	"relayStop":        `{}`,
	"diagnosis": `{"candidates":["host"],"protocols":["udp"],"families":["ip4"],"theirFamilies":["ip6"],"answered":true,` +
		`"blocked":[{"url":"stun:a","code":701}],"relay":"silent"}`,
}

// read is what becomes of a message with these members.
func read(t *testing.T, typ string, members map[string]json.RawMessage) (Request, Refusal) {
	t.Helper()
	frame := map[string]any{"type": typ, "callId": "c"}
	if typ != "call" {
		frame["target"] = RelayName // for which more of an offer is read
	}
	for k, v := range members {
		frame[k] = v
	}
	text, err := json.Marshal(frame)
	if err != nil {
		t.Fatal(err)
	}
	_, req, why := decode(string(text))
	return req, why
}

func TestTableNamesWhatIsRead(t *testing.T) {
	for _, row := range Table {
		if row.Decode == nil {
			continue
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(complete[row.Type]), &members); err != nil {
			t.Errorf("%s: no complete frame is known: %v", row.Type, err)
			continue
		}
		if len(members) != len(row.Keys) {
			t.Errorf("%s: the row names %v, the complete frame has %v", row.Type, row.Keys, members)
		}
		whole, why := read(t, row.Type, members)
		if why != OK {
			t.Errorf("%s: refused: %v", row.Type, why)
			continue
		}
		for i, v := 0, reflect.ValueOf(whole); i < v.NumField(); i++ {
			if v.Field(i).IsZero() {
				t.Errorf("%s: nothing has filled %s, so it is read from a key that the row does not name", row.Type, v.Type().Field(i).Name)
			}
		}
		for _, key := range row.Keys {
			value, there := members[key]
			if !there {
				t.Errorf("%s: the complete frame has no %s", row.Type, key)
			}
			delete(members, key)
			if less, why := read(t, row.Type, members); why == OK && reflect.DeepEqual(less, whole) && row.Type != "mediaStateChange" {
				t.Errorf("%s: nobody reads %s", row.Type, key) // a mediaStateChange may say a state twice: TestDecoded
			}
			members[key] = value
		}
		if reflect.TypeOf(whole) != reflect.TypeOf(row.Client) {
			t.Errorf("%s is read as a %T, its row has a %T", row.Type, whole, row.Client)
		}
		if row.Scope.Has(InCall) != isCallRequest(whole) {
			t.Errorf("%s: its scope says that it is about a call: %t", row.Type, row.Scope.Has(InCall))
		}
	}
}

func isCallRequest(r Request) bool {
	_, about := r.(AboutCall)
	_, call := r.(CallRequest)
	return about || call
}

func TestTypesStandOnce(t *testing.T) {
	seen := map[string]bool{}
	for i, row := range Table {
		if seen[row.Type] {
			t.Errorf("%s has two rows", row.Type)
		}
		seen[row.Type] = true
		if row.Decode != nil && numberOf([]byte(row.Type)) != i {
			t.Errorf("%s is not found", row.Type)
		}
	}
}
