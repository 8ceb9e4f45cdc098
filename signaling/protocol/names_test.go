package protocol

import (
	"strings"
	"testing"

	"duet/internal/spin"
)

func TestCleanName(t *testing.T) {
	for _, c := range []struct{ what, typed, want string }{
		{"plain", "Ann", "Ann"},
		{"trimmed", " \t\u00a0Ann\u3000\n", "Ann"},
		{"inner space", "Ann Lee", "Ann Lee"},
		{"one character", "A", "A"},
		{"32 characters", strings.Repeat("a", 32), strings.Repeat("a", 32)},
		{"33 characters", strings.Repeat("a", 33), ""},
		{"32 clusters of several runes", strings.Repeat("e\u0301", 32), strings.Repeat("e\u0301", 32)},
		{"33 clusters", strings.Repeat("e\u0301", 33), ""},
		{"128 bytes", strings.Repeat("\U0001F600", 32), strings.Repeat("\U0001F600", 32)},
		{"129 bytes in few clusters", "a" + strings.Repeat("\u0301", 64), ""},
		{"family emoji", "\U0001F468\u200d\U0001F469\u200d\U0001F467", "\U0001F468\u200d\U0001F469\u200d\U0001F467"},
		{"heart on fire", "\u2764\ufe0f\u200d\U0001F525", "\u2764\ufe0f\u200d\U0001F525"},
		{"flag", "\U0001F1E9\U0001F1EA", "\U0001F1E9\U0001F1EA"},
		{"Persian", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"},
		{"Sinhala", "\u0dc1\u0dca\u200d\u0dbb\u0dd3", "\u0dc1\u0dca\u200d\u0dbb\u0dd3"},
		{"Chinese", "用户A", "用户A"},
		{"quotes and slashes", `a"b\c<d>`, `a"b\c<d>`},
		{"empty", "", ""},
		{"white space only", " \u2003 ", ""},
		{"control", "a\x00b", ""},
		{"escape", "a\x1bb", ""},
		{"delete", "a\x7fb", ""},
		{"inner tab", "a\tb", ""},
		{"inner newline", "a\nb", ""},
		{"C1", "a\u0085b", ""},
		{"line separator", "a\u2028b", ""},
		{"direction override", "a\u202eb", ""},
		{"direction mark", "a\u200eb", ""},
		{"isolate", "a\u2066b", ""},
		{"zero-width space", "a\u200bb", ""},
		{"word joiner", "a\u2060b", ""},
		{"byte order mark", "a\ufeffb", ""},
		{"soft hyphen", "a\u00adb", ""},
		{"tag", "a\U000E0041b", ""},
		{"joiner first", "\u200da", ""},
		{"joiner last", "a\u200d", ""},
		{"joiner before space", "a\u200d b", ""},
		{"joiner after space", "a \u200db", ""},
		{"two joiners", "a\u200d\u200cb", ""},
		{"joiner only", "\u200d", ""},
		{"variation selector only", "\ufe0f", ""},
		{"Hangul filler", "\u3164", ""},
		{"braille blank", "\u2800", ""},
		{"braille blank at the end", "Bob\u2800", ""},
		{"null notehead", "Bob\U0001d159", ""},
		{"Khitan filler", "Bob\U00016fe4", ""},
		{"hieroglyphs' blank", "\U00013441", ""},
		{"no object", "Bob\ufffc", ""},
		{"Khmer inherent vowel", "Bob\u17b4", ""},
		{"grapheme joiner", "B\u034fob", ""},
		{"private use", "a\ue000", ""},
		{"unassigned", "a\u0378", ""},
		{"noncharacter", "a\uffff", ""},
		{"not UTF-8", "a\xff", ""},
		{"id", "u_ABCDEFGHIJKLMNOPQRSTUV", ""},
		{"nearly an id", "u_ABCDEFGHIJKLMNOPQRSTU", "u_ABCDEFGHIJKLMNOPQRSTU"},
		{"relay", "relay", ""},
		{"folded relay", "ReLaY", ""},
		{"wide relay", "ｒｅｌａｙ", ""},
		{"relay and more", "relays", "relays"},
	} {
		got, good := CleanName(c.typed)
		if got != c.want || good != (c.want != "") {
			t.Errorf("%s: CleanName(%q) = %q, %v; want %q", c.what, c.typed, got, good, c.want)
		}
	}
}

func TestSameName(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"Ann", "aNN", true},
		{"Straße", "STRASSE", true},
		{"Ａｎｎ", "ann", true},
		{"ﬁ", "FI", true},
		{"e\u0301", "\u00c9", true},
		{"Σίσυφος", "ΣΊΣΥΦΟΣ", true},
		{"\u1e9e", "ss", true},
		{"K", "\u212a", true}, // the Kelvin sign
		{"\u0130", "i\u0307", true},
		{"Ann", "Anna", false},
		{"i", "\u0131", false},
		{"Bob", "B\u200dob", true},
		{"Bob", "B\u200cob", true},
		{"Bob", "Bob\ufe0f", true},
		{"Bob", "B\ufe00ob", true},
		{"Ann Lee", "Ann  Lee", true},
		{"Ann Lee", "ann\u00a0\u2003lee", true},
		{"Ann Lee", "AnnLee", false},
		{"Bob", "Bоb", false}, // a Cyrillic o: another name, and a lookalike
	} {
		if got := FoldName(c.a) == FoldName(c.b); got != c.same {
			t.Errorf("%q and %q: same = %v, want %v (%q, %q)", c.a, c.b, got, c.same, FoldName(c.a), FoldName(c.b))
		}
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"Ann", "用户", "e\u0301", "\U0001F468\u200d\U0001F469", "ﬁ\u0345", "\u1fb3", "u_ABCDEFGHIJKLMNOPQRSTUV"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		spin.Watch(t)
		name, good := CleanName(typed)
		if !good {
			return
		}
		if again, stillGood := CleanName(name); !stillGood || again != name {
			t.Fatalf("%q was cleaned to %q, which is cleaned to %q", typed, name, again)
		}
		key := FoldName(name)
		if FoldName(key) != key {
			t.Fatalf("the key of %q is not stable: %q, %q", name, key, FoldName(key))
		}
		if len(name) > maxNameBytes || key == RelayName || isID(name) {
			t.Fatalf("%q passed", name)
		}
	})
}
