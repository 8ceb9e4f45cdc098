package protocol

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"duet/internal/jsonscan"
	"duet/internal/spin"
)

// validObject is parseObject, which wants UTF-8; its members are those that are found one by one.
func validObject(t testing.TB, b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	fields, valid := parseObject(b, nil)
	if valid {
		want := fieldsOf(b, nil)
		same := func(x, y Member) bool {
			return x.inner == y.inner && string(x.key) == string(y.key) && string(x.value) == string(y.value)
		}
		if !slices.EqualFunc(fields, want, same) {
			t.Errorf("%.80q: the members are %v, want %v", b, fields, want)
		}
	}
	return valid
}

// validByLibrary is what validObject must agree with.
func validByLibrary(b []byte) bool {
	i := jsonscan.Space(b, 0)
	return i < len(b) && b[i] == '{' && shallow(b, maxLevels) && jsontext.Value(b).IsValid()
}

func checkSeeds() (seeds []string) {
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"k%d":%d,`, i, i)
		}
		return b.String()
	}
	return append(seeds, []string{
		`{}`, ` { } `, `{"a":1}`, `{"a":1,"a":2}`, `{"a":{"b":1},"b":2,"c":{"b":1,"a":{"b":3}}}`, `{"a":{"b":1,"b":1}}`, `{"\u0061":1,"a":2}`, `{"a\n":1}`,
		`{"a":"\u0000\ud83d\ude00"}`, `{"a":"\ud83d"}`, `{"a":"\udE00"}`, `{"a":"\uDbff\uDfff"}`, `{"a":"\ud7ff\ue000"}`, `{"a":"\u12g4"}`, `{"a":"\u123"}`, `{"a":"\x"}`, `{"a":"`, `{"a":"\`,
		"{\"a\":\"\x01\"}", "{\"a\":\"\x7f\"}", "{\"a\":\"\xff\"}", "{\"ä\":\"\u2028\"}", "{\"a\":\"\xed\xa0\x80\"}", `{"a":"` + strings.Repeat("x", 40) + `\r\n"}`, `{"a":"1234567"}`, `{"a":"12345678"}`, `{"a":"1234567\"89"}`,
		"{\"a\":\"\"}", "{\"a\":\"" + strings.Repeat("ä", 9) + "\"}", "{\"a\":\"!\\\"\"}", "{\"\":1,\"\":2}",
		`{"a":0,"b":-0,"c":1.5,"d":1e9,"e":-1.0E+10,"f":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":-}`, `{"a":1e}`, `{"a":+1}`, `{"a":NaN}`, `{"a":1e-7}`,
		`{"a":true,"b":false,"c":null}`, `{"a":tru}`, `{"a":nullx}`, `{"a":[]}`, `{"a":[1,2,[3]]}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `{"a":1,}`, `{,}`, `{"a" : 1 , "b":[ ] }`, `{"a"}`, `{"a":}`, `{"a":1}}`, `{"a":1} x`, `[]`, `"x"`, ``, ` `,
		`{"a":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `}`, `{"a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`, strings.Repeat(`{"a":`, 16) + "1" + strings.Repeat("}", 16), strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17),
		"{" + many(23) + `"k":1}`, "{" + many(24) + `"k":1}`, "{" + many(40) + `"k7":1}`, "{" + many(20) + `"x":{` + many(10) + `"y":1}}`, "{\"a\":1,\u00a0\"b\":2}", "\ufeff{}",
	}...)
}

func TestValidObject(t *testing.T) {
	for _, s := range checkSeeds() {
		if got, want := validObject(t, []byte(s)), validByLibrary([]byte(s)); got != want {
			t.Errorf("%.80q: %v, want %v", s, got, want)
		}
		for i := range min(len(s), 60) { // cut anywhere, and with a byte of another kind
			for _, other := range []string{s[:i], s[:i] + "\"" + s[i+1:], s[:i] + "\\" + s[i+1:], s[:i] + "{" + s[i+1:], s[:i] + "\x80" + s[i+1:]} {
				if got, want := validObject(t, []byte(other)), validByLibrary([]byte(other)); got != want {
					t.Errorf("%.80q: %v, want %v", other, got, want)
				}
			}
		}
	}
}

func FuzzValidObject(f *testing.F) {
	for _, s := range checkSeeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		spin.Watch(t)
		if got, want := validObject(t, b), validByLibrary(b); got != want {
			t.Errorf("%q: %v, want %v", b, got, want)
		}
	})
}

func BenchmarkParseObject(b *testing.B) {
	for name, text := range map[string]string{
		"candidate": `{"type":"iceCandidate","target":"Bob","candidate":{"candidate":"candidate:842163049 1 udp 1677729535 192.0.2.7 50000 typ srflx raddr 10.0.0.1 rport 50000 generation 0 ufrag abcd network-cost 999","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"abcd"}}`,
		"offer":     `{"type":"offer","target":"Bob","offer":{"type":"offer","sdp":"` + strings.Repeat(`a=rtpmap:111 opus/48000/2\r\n`, 90) + `"}}`,
	} {
		b.Run(name, func(b *testing.B) {
			data := []byte(text)
			b.SetBytes(int64(len(data)))
			var room [16]Member
			for b.Loop() {
				parseObject(data, room[:0])
			}
		})
	}
}

func BenchmarkValidByLibrary(b *testing.B) {
	data := []byte(`{"type":"iceCandidate","target":"Bob","candidate":{"candidate":"candidate:842163049 1 udp 1677729535 192.0.2.7 50000 typ srflx raddr 10.0.0.1 rport 50000 generation 0 ufrag abcd network-cost 999","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"abcd"}}`)
	for b.Loop() {
		validByLibrary(data)
	}
}
