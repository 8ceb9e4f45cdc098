package protocol

// This file tests what is read from frames and what messages look like.

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"duet/internal/spin"
)

func nested(levels int) string {
	return `{"type":"ping","x":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + `}`
}

// decode reads a frame as the hub does.
func decode(frame string) (Header, any, Refusal) {
	h, f, why := Parse([]byte(frame), nil)
	if why != OK {
		return h, nil, why
	}
	msg, why := h.Decode(f)
	return h, msg, why
}

func TestRefusedOnSight(t *testing.T) {
	offer := func(sdp string) string {
		b, _ := json.Marshal(sdp)
		return fmt.Sprintf(`{"type":"offer","offer":{"type":"offer","sdp":%s}}`, b)
	}
	for _, c := range []struct{ what, frame, code string }{
		{"empty", ``, "bad-json"},
		{"white space", ` `, "bad-json"},
		{"not JSON", `{type:"ping"}`, "bad-json"},
		{"cut off", `{"type":"ping"`, "bad-json"},
		{"a list", `[{"type":"ping"}]`, "bad-json"},
		{"a string", `"ping"`, "bad-json"},
		{"null", `null`, "bad-json"},
		{"two objects", `{"type":"ping"}{"type":"ping"}`, "bad-json"},
		{"byte order mark", "\ufeff{\"type\":\"ping\"}", "bad-json"},
		{"trailing comma", `{"type":"ping",}`, "bad-json"},
		{"duplicate key", `{"type":"ping","a":1,"a":2}`, "bad-json"},
		{"duplicate type", `{"type":"ping","type":"ping"}`, "bad-json"},
		{"duplicate by escape", `{"type":"ping","a":1,"\u0061":2}`, "bad-json"},
		{"duplicate below", `{"type":"ping","x":[{"a":{"b":1,"b":2}}]}`, "bad-json"},
		{"16 levels", nested(16), ""},
		{"17 levels", nested(17), "bad-json"},
		{"brackets in strings", `{"type":"ping","x":"` + strings.Repeat(`[{\"`, 50) + `"}`, ""},
		{"lone surrogate", `{"type":"join","username":"\ud800"}`, "bad-json"},
		{"control character", "{\"type\":\"ping\",\"x\":\"\x01\"}", "bad-json"},
		{"white space around", " \r\n\t{ \"type\" : \"ping\" } \n", ""},
		{"no type", `{}`, "bad-message"},
		{"type null", `{"type":null}`, "bad-message"},
		{"type number", `{"type":5}`, "bad-message"},
		{"key's case", `{"Type":"ping"}`, "bad-message"},
		{"unknown type", `{"type":"PING"}`, "unknown-type"},
		{"server's type", `{"type":"welcome"}`, "unknown-type"},
		{"unknown fields", `{"type":"ping","foo":{"bar":[1,2.5e3,true,null,"x"]}}`, ""},

		{"join without name", `{"type":"join"}`, "bad-message"},
		{"join with number", `{"type":"join","username":5}`, "bad-message"},
		{"join with other case", `{"type":"join","userName":"a"}`, "bad-message"},
		{"features not a list", `{"type":"join","username":"a","features":"resume"}`, "bad-message"},
		{"features not strings", `{"type":"join","username":"a","features":[1]}`, "bad-message"},
		{"features unknown", `{"type":"join","username":"a","features":["x"]}`, ""},
		{"resume without token", `{"type":"resume"}`, "bad-message"},
		{"resume with number", `{"type":"resume","session":1}`, "bad-message"},
		{"resume with bad ack", `{"type":"resume","session":"x","ack":-1}`, "bad-message"},
		{"resume with fraction", `{"type":"resume","session":"x","ack":1.5}`, "bad-message"},
		{"resume with text ack", `{"type":"resume","session":"x","ack":"1"}`, "bad-message"},
		{"call target number", `{"type":"call","target":5}`, "bad-message"},
		{"call media list", `{"type":"call","target":"b","media":[]}`, "bad-message"},
		{"call media number", `{"type":"call","target":"b","media":{"audio":1}}`, "bad-message"},
		{"response without accepted", `{"type":"callResponse"}`, "bad-message"},
		{"response with text", `{"type":"callResponse","accepted":"true"}`, "bad-message"},
		{"response with a reason", `{"type":"callResponse","accepted":false,"reason":"unavailable"}`, ""},
		{"response with a reason of its own", `{"type":"callResponse","accepted":false,"reason":"asleep"}`, ""},
		{"response with a number for a reason", `{"type":"callResponse","accepted":false,"reason":1}`, "bad-message"},
		{"response with number", `{"type":"callResponse","accepted":1}`, "bad-message"},
		{"callId number", `{"type":"endCall","callId":5}`, "bad-message"},
		{"target object", `{"type":"endCall","target":{}}`, "bad-message"},
		{"null means absent", `{"type":"endCall","target":null,"callId":null}`, ""},
		{"offer missing", `{"type":"offer"}`, "bad-message"},
		{"offer text", `{"type":"offer","offer":"v=0"}`, "bad-message"},
		{"offer null", `{"type":"offer","offer":null}`, "bad-message"},
		{"offer of type answer", `{"type":"offer","offer":{"type":"answer","sdp":""}}`, "bad-message"},
		{"offer without type", `{"type":"offer","offer":{"sdp":""}}`, "bad-message"},
		{"offer without sdp", `{"type":"offer","offer":{"type":"offer"}}`, "bad-message"},
		{"offer with sdp number", `{"type":"offer","offer":{"type":"offer","sdp":1}}`, "bad-message"},
		{"64 KiB", offer(strings.Repeat("a", maxSDP)), ""},
		{"64 KiB and one", offer(strings.Repeat("a", maxSDP+1)), "too-large"},
		{"64 KiB decoded", strings.Replace(offer("X"), "X", strings.Repeat(`\n`, maxSDP), 1), ""},
		{"64 KiB and one decoded", strings.Replace(offer("X"), "X", strings.Repeat(`\n`, maxSDP)+"a", 1), "too-large"},
		{"64 media sections", offer(strings.Repeat("m=audio 9 X 0\r\n", 64)), ""},
		{"65 media sections", offer(strings.Repeat("m=audio 9 X 0\r\n", 65)), "too-large"},
		{"answer of type offer", `{"type":"answer","answer":{"type":"offer","sdp":""}}`, "bad-message"},
		{"provisional answer", `{"type":"answer","answer":{"type":"pranswer","sdp":""}}`, ""},
		{"candidate missing", `{"type":"iceCandidate"}`, "bad-message"},
		{"candidate null", `{"type":"iceCandidate","candidate":null}`, ""},
		{"candidate empty", `{"type":"iceCandidate","candidate":{}}`, ""},
		{"candidate text", `{"type":"iceCandidate","candidate":"x"}`, "bad-message"},
		{"candidate line number", `{"type":"iceCandidate","candidate":{"candidate":1}}`, "bad-message"},
		{"candidate line of 4 KiB", `{"type":"iceCandidate","candidate":{"candidate":"` + strings.Repeat("a", maxCandidate) + `"}}`, ""},
		{"candidate line longer", `{"type":"iceCandidate","candidate":{"candidate":"` + strings.Repeat("a", maxCandidate+1) + `"}}`, "too-large"},
		{"mid number", `{"type":"iceCandidate","candidate":{"candidate":"","sdpMid":0}}`, "bad-message"},
		{"line index text", `{"type":"iceCandidate","candidate":{"candidate":"","sdpMLineIndex":"0"}}`, "bad-message"},
		{"line index negative", `{"type":"iceCandidate","candidate":{"candidate":"","sdpMLineIndex":-1}}`, "bad-message"},
		{"state of nothing", `{"type":"mediaStateChange"}`, "bad-message"},
		{"state text", `{"type":"mediaStateChange","audio":"off"}`, "bad-message"},
		{"state null", `{"type":"mediaStateChange","audio":null}`, "bad-message"},
		{"mediaType alone", `{"type":"mediaStateChange","mediaType":"video"}`, "bad-message"},
		{"enabled alone", `{"type":"mediaStateChange","enabled":true}`, "bad-message"},
		{"mediaType unknown", `{"type":"mediaStateChange","mediaType":"smell","enabled":true}`, "bad-message"},
		{"a cause", `{"type":"mediaStateChange","audio":false,"audioCause":"in-use","videoCause":null}`, ""},
		{"a note", `{"type":"callResponse","accepted":false,"note":"in-10-minutes"}`, ""},
		{"note sentence", `{"type":"callResponse","accepted":false,"note":"Call me"}`, "bad-message"},
		{"cause number", `{"type":"mediaStateChange","audio":false,"audioCause":1}`, "bad-message"},
		{"cause sentence", `{"type":"mediaStateChange","audio":false,"audioCause":"Click <here>"}`, "bad-message"},
		{"cause too long", `{"type":"mediaStateChange","video":false,"videoCause":"` + strings.Repeat("a", maxWord+1) + `"}`, "bad-message"},
		{"forms that disagree", `{"type":"mediaStateChange","mediaType":"video","enabled":true,"video":false}`, "bad-message"},
		{"path unknown", `{"type":"mediaConnected","path":"pigeon"}`, "bad-message"},
		{"path missing", `{"type":"mediaConnected"}`, "bad-message"},
		{"setup text", `{"type":"mediaConnected","path":"turn","setupMs":"5"}`, "bad-message"},
		{"stats", `{"type":"callStats","path":"turn","rttMs":1.5,"lossPct":0,"jitterMs":2,"bitrateKbps":1e3}`, ""},
		{"stats beyond numbers", `{"type":"callStats","path":"turn","rttMs":1e999}`, "bad-message"},
		{"relay reason unknown", `{"type":"relayRequest","reason":"because"}`, "bad-message"},
		{"relay reason missing", `{"type":"relayRequest"}`, "bad-message"},
		{"diagnosis", fullDiagnosis, ""},
		{"diagnosis of nothing", `{"type":"diagnosis"}`, ""},
		{"diagnosis with a text for a list", `{"type":"diagnosis","candidates":"host"}`, "bad-message"},
		{"diagnosis with a number for a word", `{"type":"diagnosis","families":[4]}`, "bad-message"},
		{"diagnosis with a long word", `{"type":"diagnosis","protocols":["` + strings.Repeat("u", maxField+1) + `"]}`, "bad-message"},
		{"diagnosis with 16 words", `{"type":"diagnosis","candidates":[` + strings.Repeat(`"host",`, 15) + `"host"]}`, ""},
		{"diagnosis with 17 words", `{"type":"diagnosis","candidates":[` + strings.Repeat(`"host",`, 16) + `"host"]}`, "too-large"},
		{"diagnosis with a number for a flag", `{"type":"diagnosis","answered":1}`, "bad-message"},
		{"diagnosis with an unknown fate", `{"type":"diagnosis","relay":"<b>"}`, "bad-message"},
		{"diagnosis with 17 servers", `{"type":"diagnosis","blocked":[` + strings.Repeat(`{"url":"stun:a","code":701},`, 16) + `{"url":"stun:a","code":701}]}`, "too-large"},
		{"diagnosis with a text for a server", `{"type":"diagnosis","blocked":["stun:a"]}`, "bad-message"},
		{"diagnosis with a server without a code", `{"type":"diagnosis","blocked":[{"url":"stun:a"}]}`, "bad-message"},
		{"diagnosis with Firefox's code for each 5xx", `{"type":"diagnosis","blocked":[{"url":"stun:a","code":65535}]}`, ""},
		{"diagnosis with a code beyond all", `{"type":"diagnosis","blocked":[{"url":"stun:a","code":9007199254740991}]}`, ""},
		{"diagnosis with a code that is none", `{"type":"diagnosis","blocked":[{"url":"stun:a","code":-1}]}`, "bad-message"},
		{"diagnosis with a long URL", `{"type":"diagnosis","blocked":[{"url":"stun:` + strings.Repeat("a", maxURL) + `","code":701}]}`, "bad-message"},
		{"diagnosis with many things in a server", `{"type":"diagnosis","blocked":[{"code":701,` + manyMembers + `}]}`, ""},
	} {
		if _, _, why := decode(c.frame); why.Code != c.code {
			t.Errorf("%s: got %q, want %q", c.what, why.Code, c.code)
		}
	}
}

// fullDiagnosis has all fields, and words that nobody knows.
const fullDiagnosis = `{"type":"diagnosis","candidates":["host","srflx","<b>"],"protocols":["udp","tcp"],"families":["ip4","hidden"],"theirFamilies":["ip6"],` +
	`"answered":true,"blocked":[{"url":"turn:a:3478?transport=udp","code":701},{"url":"turns:a:443?transport=tcp","code":401},{"url":"http:b","code":1},{"code":2}],"relay":"silent"}`

// manyMembers are more than anybody reads.
var manyMembers = strings.TrimSuffix(func() (s string) {
	for i := range 50 {
		s += fmt.Sprintf(`"x%d":0,`, i)
	}
	return s
}(), ",")

func TestDiagnosisKeepsNoText(t *testing.T) {
	_, got, why := decode(fullDiagnosis)
	want := DiagnosisRequest{Candidates: 0b11, Protocols: 0b11, Families: 0b101, TheirFamilies: 0b10, Answered: true,
		Blocked: []Blocked{{1, 701}, {3, 401}}, Relay: "silent"}
	if why != OK || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v %v\nwant %#v", got, why, want)
	}
	words := "candidates:host,srflx, protocols:udp,tcp, families:ip4,hidden, theirs:ip6, answered:true relay:silent blocked:turn-udp=701,turn-tls=401,"
	if d := got.(DiagnosisRequest); d.String() != words {
		t.Errorf("in words: %s", d.String())
	}
}

func TestDecoded(t *testing.T) {
	_, got, why := decode(`{"type":"iceCandidate","callId":"c","target":"b","candidate":{"sdpMid": "0","x":[1],"candidate":"candidate:1 1 udp 1 ::ffff:192.0.2.1 5 typ host","sdpMLineIndex":null}}`)
	want := ICECandidateRequest{
		CallRef:   CallRef{"c", "b"},
		Candidate: []byte(`{"sdpMid":"0","candidate":"candidate:1 1 udp 1 ::ffff:192.0.2.1 5 typ host","sdpMLineIndex":null}`),
		At:        Addresses{IPs: []string{"192.0.2.1"}, Any: true},
	}
	if why != OK || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v %v\nwant %#v", got, why, want)
	}
	_, got, why = decode(`{"type":"offer","offer":{"sdp":"v=0\r\na=candidate:1 1 udp 1 2001:db8::1 5 typ host\r\na=candidate:1 1 udp 1 x.local 5 typ host\na=candidate:2 1 tcp 1 192.0.2.9 9 typ host\n","evil":1,"type":"offer"}}`)
	o, is := got.(OfferRequest)
	if !is || why != OK || !reflect.DeepEqual(o.At.IPs, []string{"2001:db8::1", "192.0.2.9"}) || strings.Contains(string(o.Offer), "evil") {
		t.Errorf("got %#v %v", got, why)
	}
	_, got, _ = decode(`{"type":"mediaStateChange","mediaType":"screen","enabled":true,"audio":false}`)
	if c := got.(MediaStateChangeRequest).MediaChange; c.Named != [3]bool{true, false, true} || c.To != (Media{Screen: true}) || c.Single() != -1 {
		t.Errorf("got %#v", c)
	}
	_, got, _ = decode(`{"type":"mediaStateChange","audio":false,"video":true,"audioCause":"missing","videoCause":"muted"}`)
	if c := got.(MediaStateChangeRequest).MediaChange; c.To != (Media{Video: true, AudioCause: "missing"}) {
		t.Errorf("a cause belongs to what is off: got %#v", c)
	}
	if h, _, _ := decode(`{"type":"x","ref":"r","seq":7,"ack":3}`); string(h.Ref) != `"r"` || h.Seq != 7 || h.Ack != 3 {
		t.Errorf("got %#v", h)
	}
	if h, _, _ := decode(`{"type":"x","seq":7}`); string(h.Ref) != `7` {
		t.Errorf("got %#v", h)
	}
	if h, _, _ := decode(`{"type":"x","ref":{"a":1},"seq":7}`); string(h.Ref) != `7` {
		t.Errorf("a ref that may not be echoed: got %q", h.Ref)
	}
	long := strings.Repeat("ä", 65)
	if got := TypeEcho(long); got != strings.Repeat("ä", 64) {
		t.Errorf("type echo of %d characters", utf8.RuneCountInString(got))
	}
}

// TestMessages holds what Append writes.
func TestMessages(t *testing.T) {
	tricky := "a\"\\<\u2028\x07é"
	on := Media{Audio: true, Screen: true}
	for _, c := range []struct {
		m    Message
		want string
	}{
		{IncomingCallMessage{Caller: tricky, CallerID: "u", CallID: "c"}, `{"type":"incomingCall","caller":"a\"\\<\u2028\u0007é","callerId":"u","callId":"c"}`},
		{IncomingCallMessage{Caller: "A", CallerID: "u", CallID: "c", Media: []byte(`{"video":false}`)}, `{"type":"incomingCall","caller":"A","callerId":"u","callId":"c","media":{"video":false}}`},
		{CallAnsweredMessage{Callee: "B", CalleeID: "u", Reason: "busy"}, `{"type":"callAnswered","accepted":false,"callee":"B","calleeId":"u","reason":"busy"}`},
		{CallAnsweredMessage{Callee: "B", CalleeID: "u", Reason: "declined", Note: "will-call"}, `{"type":"callAnswered","accepted":false,"callee":"B","calleeId":"u","reason":"declined","note":"will-call"}`},
		{CallStartedMessage{CallID: "c", Role: "callee", Peer: "A", PeerID: "u", Self: on}, `{"type":"callStarted","callId":"c","role":"callee","peer":"A","peerId":"u","media":{"self":{"audio":true,"video":false,"screen":true},"peer":{"audio":false,"video":false,"screen":false}}}`},
		{MediaStateChangeMessage{Media: on, Sender: "A", SenderID: "u", CallID: "c", Kind: 2}, `{"type":"mediaStateChange","audio":true,"video":false,"screen":true,"sender":"A","senderId":"u","callId":"c","mediaType":"screen","enabled":true}`},
		{MediaStateChangeMessage{Media: Media{AudioCause: "in-use"}, Sender: "A", SenderID: "u", CallID: "c", Kind: -1}, `{"type":"mediaStateChange","audio":false,"video":false,"screen":false,"audioCause":"in-use","sender":"A","senderId":"u","callId":"c"}`},
		{PongMessage{T: []byte("5"), HasAck: true}, `{"type":"pong","t":5,"ack":0}`},
		{PongMessage{}, `{"type":"pong"}`},
		{ErrorMessage{Code: "bad-json", Message: "m"}, `{"type":"error","code":"bad-json","message":"m"}`},
		{ErrorMessage{Code: "rate-limited", Message: "m", Request: "x", Ref: []byte("3"), RetryAfterMs: 10}, `{"type":"error","code":"rate-limited","message":"m","request":"x","ref":3,"retryAfterMs":10}`},
		{ICEServersMessage{}, `{"type":"iceServers","iceServers":[],"iceExpiresAt":0}`},
		{ICEServersMessage{ICEServers{STUN: []string{"stun:h"}, TURN: []string{"turn:h", "turns:h"}, Username: "1:u", Credential: "x"}}, `{"type":"iceServers","iceServers":[{"urls":["stun:h"]},{"urls":["turn:h","turns:h"],"username":"1:u","credential":"x"}],"iceExpiresAt":0}`},
		{WelcomeMessage{ID: "u", Username: "A", Relay: "off", Server: ServerAbout{"duet", "1", 1}}, `{"type":"welcome","id":"u","username":"A","session":"","iceServers":[],"iceExpiresAt":0,"relay":"off","relayAfterMs":0,"resumeGraceMs":0,"resumed":false,"restored":false,"ack":0,"call":null,"features":[],"server":{"name":"duet","version":"1","protocol":1}}`},
	} {
		var got, want any
		text := append(c.m.Append(nil), '}')
		if err := json.Unmarshal(text, &got); err != nil {
			t.Errorf("%T writes %s: %v", c.m, text, err)
			continue
		}
		if err := json.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%T:\n got %s\nwant %s", c.m, text, c.want)
		}
	}
}

// FuzzCodec: nothing crashes, and what passes is what encoding/json reads.
func FuzzCodec(f *testing.F) {
	for _, s := range []string{
		`{"type":"join","username":"Ann","features":["resume","call-state"],"seq":1}`,
		`{"type":"offer","target":"b","offer":{"type":"offer","sdp":"v=0\r\na=candidate:1 1 udp 1 192.0.2.1 5 typ host"}}`,
		`{"type":"iceCandidate","candidate":{"candidate":"candidate:1 1 udp 1 192.0.2.1 5 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":null},"seq":2,"ack":1}`,
		`{"type":"mediaStateChange","mediaType":"video","enabled":false}`, `{"type":"call","target":"b","media":{"audio":true}}`,
		`{"type":"callStats","path":"turn","rttMs":1.5}`, `{"type":"resume","session":"x","ack":3}`, `{"a":[{"b":"\u0000\ud83d\ude00"}]}`, nested(17),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, frame string) {
		spin.Watch(t)
		if !utf8.ValidString(frame) {
			return
		}
		h, msg, why := decode(frame)
		var std map[string]json.RawMessage
		err := json.Unmarshal([]byte(frame), &std)
		if why != BadJSON && (err != nil || std == nil) {
			t.Fatalf("%q passed, but: %v", frame, err)
		}
		if why.Code == "bad-json" {
			return
		}
		var typ string
		if raw, there := std["type"]; there && raw[0] == '"' {
			json.Unmarshal(raw, &typ)
		}
		if h.Type != typ {
			t.Fatalf("type %q, want %q", h.Type, typ)
		}
		for _, raw := range [][]byte{h.Ref, forwarded(msg)} {
			if raw != nil && !json.Valid(raw) {
				t.Fatalf("%q would be sent on", raw)
			}
		}
	})
}

// forwarded is what of a message reaches the other side.
func forwarded(msg any) []byte {
	switch m := msg.(type) {
	case OfferRequest:
		return m.Offer
	case AnswerRequest:
		return m.Answer
	case ICECandidateRequest:
		return m.Candidate
	case CallRequest:
		return m.Media
	}
	return nil
}
