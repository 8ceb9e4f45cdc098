package protocol

// This file tests that an SDP's lines are those of its text, however that is escaped.

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"duet/internal/spin"
)

func FuzzLines(f *testing.F) {
	for _, s := range []string{
		``, `v=0`, `v=0\r\na=x\r\n`, `\n\n`, `\r\r\na`, `a\r`, `a\\r\nb`, `a\\\r\n`, `a\\n\n`, `a\tb\r\n`, `a\rb\n`, `\u000aa\r\n`, `a\r\n\u0061\r`, `\\u000a\n`, `\/\"\n`, `ä\r\n` + "\u2028",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, inside string) {
		spin.Watch(t)
		raw := []byte(`"` + inside + `"`)
		if !jsontext.Value(raw).IsValid() {
			return
		}
		text, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return // more than one value
		}
		var got, want []string
		length := lines(raw, func(line []byte) { got = append(got, string(line)) })
		for line := range strings.SplitSeq(string(text), "\n") {
			want = append(want, strings.TrimRight(line, "\r"))
		}
		if !slices.Equal(got, want) || length != len(text) {
			t.Errorf("%s: got %q of %d bytes, want %q of %d", raw, got, length, want, len(text))
		}
	})
}
