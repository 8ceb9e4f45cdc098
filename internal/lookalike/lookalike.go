// Package lookalike says which names are one to the eye: the same name in two spellings ([Fold]), or two names that a
// person may take for each other ([Skeleton], Unicode Technical Standard 39). There is no state, no goroutine and no lock.
package lookalike

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold maps all spellings of a name to one: NFKC_Casefold (Unicode Standard, section 3.13), which leaves out what shows
// nothing, with runs of white space as one space and none at the ends. Folding twice changes nothing.
func Fold(name string) string {
	for range 4 { // folding can undo the composition, so more than once; the third time changes nothing
		next := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(strings.Map(shown, name))))
		next = strings.Join(strings.Fields(next), " ")
		if next == name {
			break
		}
		name = next
	}
	return name
}

// shown is r, or nothing for a Default_Ignorable_Code_Point, which a reader does not see.
func shown(r rune) rune {
	switch {
	case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return -1
	case !unicode.Is(unicode.Cf, r):
	case r >= 0xfff9 && r <= 0xfffb, r >= 0x13430 && r <= 0x13440, unicode.Is(unicode.Prepended_Concatenation_Mark, r):
	default:
		return -1
	}
	return r
}

type confusable struct {
	from rune
	to   string
}

// Skeleton is what a name looks like: two with the same one can be taken for each other. It is UTS 39's, made from the
// name as it is shown, with the case folded after that, for names that differ by case alone are one.
func Skeleton(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.Map(shown, name)) {
		i, found := slices.BinarySearchFunc(confusables[:], r, func(c confusable, r rune) int { return int(c.from - r) })
		if found {
			b.WriteString(confusables[i].to)
		} else {
			b.WriteRune(r)
		}
	}
	return Fold(b.String())
}
