package socketio

// Whatever comes from a client, as the parsers see it.

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"duet/internal/jsonscan"
	"duet/internal/spin"
)

// FuzzPacket: whatever is accepted is told apart without reading beyond it, and an event's parts are those of its JSON.
func FuzzPacket(f *testing.F) {
	for _, seed := range []string{`0`, `0{"pid":"x","offset":"1"}`, `2["join",{"username":"Ann"}]`, `213["call",{"target":"Bob"}]`, `2/x,1["a"]`,
		`52-7["a",{"_placeholder":true,"num":0}]`, `61-7[]`, `1`, `41`, `4{"message":"x"}`, `2[ "a\"]" , [1,{"b":"]"}] , 2]`, `2[-1.5e3]`, `5-`, `2/`, `3`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		spin.Watch(t)
		m, ok := decode(b)
		if !ok {
			return
		}
		if len(m.id) > maxID || len(m.space) > maxSpace || m.attachments > maxAttachments {
			t.Fatalf("%q: %+v", b, m)
		}
		var list []json.RawMessage
		if !json.Valid(m.data) {
			return
		}
		name, rest, good := split(m.data)
		if err := json.Unmarshal(m.data, &list); err != nil || len(list) == 0 {
			if good {
				t.Fatalf("%q has no name, got %q", m.data, name)
			}
			return
		}
		if !good {
			if s := list[0]; s[0] == '-' || s[0] >= '0' && s[0] <= '9' || s[0] == '"' && !strings.Contains(strings.Join(reserved[:], " "), strings.Trim(string(s), `"`)) {
				t.Fatalf("%q is refused", m.data)
			}
			return
		}
		arg := rest
		if rest != nil {
			arg = rest[:jsonscan.Value(rest, 0)]
		}
		if !bytes.Equal(name, list[0]) || !bytes.HasSuffix(m.data, rest) || len(list) > 1 && !bytes.Equal(arg, list[1]) || len(list) == 1 && arg != nil {
			t.Fatalf("%q: got %q and %q", m.data, name, arg)
		}
	})
}

// FuzzPayload: packets that are put into a body come out of it, in both versions, and whatever comes ends.
func FuzzPayload(f *testing.F) {
	f.Add([]byte("4a\x1e3\x1e42[\"é😀\"]"), true)
	f.Add([]byte("1:22:4a6:4é😀😀a"), false)
	f.Add([]byte("\x1e\x1e"), false)
	f.Fuzz(func(t *testing.T, body []byte, v3 bool) {
		spin.Watch(t)
		n := 0
		each(v3, body, func(packet []byte) bool { n++; return true })
		if n > len(body)+1 {
			t.Fatalf("%d packets in %d bytes", n, len(body))
		}
		if !utf8.Valid(body) {
			return
		}
		texts := strings.Split(string(body), "\x1e")
		var again []byte
		for _, text := range texts {
			if text == "" || text[0] == '{' {
				return
			}
			again = appendPacket(v3, again, &Packet{raw: []byte(text)})
		}
		var got []string
		if !each(v3, again, func(packet []byte) bool { got = append(got, string(packet)); return true }) {
			t.Fatalf("%q is not well-formed", again)
		}
		if strings.Join(got, "\x1e") != string(body) {
			t.Fatalf("%q came back as %q", texts, got)
		}
		if v3 && len(texts) == 1 && !bytes.HasPrefix(again, []byte(jsLength(texts[0])+":")) {
			t.Fatalf("%q has the length %q", texts[0], again)
		}
	})
}

// jsLength is a string's length in JavaScript.
func jsLength(s string) string {
	b, _ := json.Marshal(len(utf16.Encode([]rune(s))))
	return string(b)
}

// FuzzQuery: a handshake's query is understood or refused with a code, and only the exact words are understood.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{v4, v4 + "&sid=abc&t=x", "EIO=3&transport=websocket", "transport=polling&j=0&b64=1", "EIO=4&EIO=3&transport=polling", "%zz", ";", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		spin.Watch(t)
		q, why, ok := parseQuery(query)
		if !ok {
			if why.words == "" || why == unknownSession {
				t.Fatalf("%q is refused with %+v", query, why)
			}
			return
		}
		if q.websocket != strings.Contains(query, "=websocket") && !strings.Contains(query, "polling") && !strings.Contains(query, "%") && !strings.Contains(query, "+") {
			t.Fatalf("%q: %+v", query, q)
		}
		if !q.v3 && !strings.Contains(query, "4") && !strings.Contains(query, "%") {
			t.Fatalf("%q is version 4", query)
		}
	})
}
