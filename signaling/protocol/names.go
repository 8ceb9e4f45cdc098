package protocol

// This file says which usernames there are, and which of them are the same.

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const (
	maxNameBytes      = 128
	maxNameCharacters = 32
	RelayName         = "relay"

	zwnj = '\u200c'
	zwj  = '\u200d'
)

// CleanName trims a username and reports whether it may be used.
func CleanName(typed string) (name string, ok bool) {
	name = strings.TrimFunc(typed, unicode.IsSpace)
	if name == "" || len(name) > maxNameBytes || !utf8.ValidString(name) {
		return "", false
	}
	if uniseg.GraphemeClusterCount(name) > maxNameCharacters || !visible(name) {
		return "", false
	}
	key := FoldName(name)
	if key == "" || key == RelayName || isID(name) || isID(norm.NFKC.String(name)) || isID(key) {
		return "", false
	}
	return name, true
}

// FoldName maps all spellings of one name to the same key: NFKC, then full case
// folding, until nothing changes (folding can undo the composition).
func FoldName(name string) string {
	ascii := true
	for i := 0; i < len(name); i++ {
		if name[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return strings.ToLower(name)
	}
	key := norm.NFKC.String(name)
	for range 4 {
		next := norm.NFKC.String(cases.Fold().String(key))
		if next == key {
			break
		}
		key = next
	}
	return key
}

// TargetKey folds what a client wrote to name another user.
func TargetKey(target string) string {
	if len(target) > 4*maxNameBytes {
		return ""
	}
	return FoldName(strings.TrimFunc(target, unicode.IsSpace))
}

// isID reports whether a name has the form of a user's id.
func isID(name string) bool {
	if len(name) != 2+idLength || name[:2] != "u_" {
		return false
	}
	for _, c := range []byte(name[2:]) {
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z') {
			return false
		}
	}
	return true
}

// visible refuses characters that can hide or rearrange a name. The joiners
// U+200C and U+200D are fine between two visible characters: emoji and Persian
// need them.
func visible(name string) bool {
	shown := false    // there is something to see
	joinable := false // a joiner may follow
	pending := false  // a joiner waits for its second character
	for _, r := range name {
		switch {
		case r == zwnj || r == zwj:
			if !joinable {
				return false
			}
			joinable, pending = false, true
		case unicode.IsSpace(r):
			if pending || !unicode.Is(unicode.Zs, r) { // tabs, line and paragraph separators
				return false
			}
			joinable = false
		case unicode.Is(unicode.Variation_Selector, r):
			// Chooses the look of the character before it.
			if !joinable {
				return false
			}
		case !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S) || ignorable(r):
			return false
		default:
			shown, joinable, pending = true, true, false
		}
	}
	return shown && !pending
}

// ignorable reports characters of the other categories that show nothing (the
// rest of Default_Ignorable_Code_Point): a name made of them would be empty to
// the eye.
func ignorable(r rune) bool {
	return unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}
