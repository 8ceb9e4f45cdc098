package protocol

// This file says which usernames there are, and which of them are the same.

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/text/unicode/norm"

	"duet/internal/lookalike"
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

// FoldName maps all spellings of one name to the same key.
func FoldName(name string) string {
	plain := true // ASCII without runs of spaces
	for i := 0; i < len(name) && plain; i++ {
		c := name[i]
		plain = c > ' ' && c < utf8.RuneSelf || c == ' ' && i > 0 && i+1 < len(name) && name[i-1] != ' '
	}
	if plain {
		return strings.ToLower(name)
	}
	return lookalike.Fold(name)
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
		case !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S) || blank(r):
			return false
		default:
			shown, joinable, pending = true, true, false
		}
	}
	return shown && !pending
}

// blank reports characters that show nothing though they are none of spaces, marks of format or control characters: a
// name made of them would be empty to the eye, and one that ends in them would look like another.
func blank(r rune) bool {
	switch r {
	case '\u2800', // braille pattern blank
		'\ufffc',                   // object replacement character: what stands for an image that is not there
		'\U00013441', '\U00013442', // Egyptian hieroglyph full and half blank
		'\U00016fe4', // Khitan small script filler
		'\U0001d159': // musical symbol null notehead
		return true
	}
	return unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) // Hangul fillers and the like
}
