package lookalike

import (
	"slices"
	"testing"

	"golang.org/x/text/unicode/norm"

	"duet/internal/spin"
)

func TestSkeleton(t *testing.T) {
	for _, c := range []struct {
		a, b  string
		alike bool
	}{
		{"Bob", "Bоb", true},   // a Cyrillic o
		{"Bob", "ВОВ", true},   // all of it Cyrillic, like BOB
		{"Ann", "Αnn", true},   // a Greek Alpha
		{"lvan", "Ivan", true}, // a small l, a capital i
		{"Ivan", "1van", true},
		{"Bern", "Bem", true},
		{"O'Neil", "O’Neil", true},
		{"paypal", "раураІ", true},
		{"Jürgen", "Ju\u0308rgen", true},
		{"Jürgen", "Jurgen", false},
		{"Ann", "Anna", false},
		{"Ann", "Amm", false},
		{"工", "エ", true}, // a Han and a Katakana letter
		{"用户甲", "用户乙", false},
		{"Ann", "ann", true},
		{"Ann Lee", "Ann\u2003 Lee", true},
	} {
		if got := Skeleton(c.a) == Skeleton(c.b); got != c.alike {
			t.Errorf("%q and %q: alike %v, want %v (%q, %q)", c.a, c.b, got, c.alike, Skeleton(c.a), Skeleton(c.b))
		}
	}
}

// TestTable: it is searched by halving, so it has to be in order; and what it names must still be there after NFKD.
func TestTable(t *testing.T) {
	if len(confusables) < 2000 {
		t.Fatalf("%d entries, which cannot be all", len(confusables))
	}
	if !slices.IsSortedFunc(confusables[:], func(a, b confusable) int { return int(a.from - b.from) }) {
		t.Error("not in order")
	}
	for _, c := range confusables {
		if s := string(c.from); norm.NFKD.String(s) != s {
			t.Errorf("%U is never looked up", c.from)
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"Ann", "Ann  Lee", "B\u200dob", "Bob\ufe0f", "ﬁ\u0345", "\u1fb3", "\u00b4a", "\u0130", "\u3164"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		spin.Watch(t)
		key := Fold(name)
		if again := Fold(key); again != key {
			t.Fatalf("%q folds to %q, which folds to %q", name, key, again)
		}
		if Skeleton(name) != Skeleton(string([]rune(name))) {
			t.Fatalf("the skeleton of %q depends on how it is decoded", name)
		}
	})
}
