package protocol

// This file checks a frame's JSON in one pass over its bytes. What is rare (keys with escapes, surrogates, objects of many
// members) is left to jsontext, which a fuzz test compares with for all the rest.

import (
	"encoding/binary"
	"math/bits"

	"github.com/go-json-experiment/json/jsontext"

	"duet/internal/jsonscan"
)

const maxLevels = 16

// parseObject reads one JSON object of at most 16 levels without duplicate keys, in a text that is UTF-8: its members, and
// those of the objects among them. It is false for anything else. into is room for them.
func parseObject(b []byte, into Fields) (Fields, bool) {
	i := jsonscan.Space(b, 0)
	if i == len(b) || b[i] != '{' {
		return nil, false
	}
	c := checker{b: b, fields: into[:0], collects: true}
	end := c.value(i, 1)
	if c.rare {
		return rareObject(b, into)
	}
	return c.fields, end > 0 && jsonscan.Space(b, end) == len(b)
}

func rareObject(b []byte, into Fields) (Fields, bool) {
	if !shallow(b, maxLevels) || !jsontext.Value(b).IsValid() {
		return nil, false
	}
	return fieldsOf(b, into), true
}

// fieldsOf is parseObject for what is valid.
func fieldsOf(b []byte, into Fields) Fields {
	into = into[:0]
	members(b, func(key, value []byte) bool {
		at := len(into)
		into = append(into, Member{key: key, value: value})
		if value[0] == '{' {
			members(value, func(key, value []byte) bool {
				into = append(into, Member{key: key, value: value})
				return true
			})
			into[at].inner = len(into) - at - 1
		}
		return true
	})
	return into
}

// checker reads a text from its beginning. Every method takes where something begins and returns where it ends, 0 when it is
// not valid or when rare says that jsontext is to be asked.
type checker struct {
	b       []byte
	rare    bool
	escaped bool    // a string had a backslash since this was last false
	keys    [24]key // of the objects that are open
	count   int

	collects bool
	fields   Fields // of the first two levels
}

type key struct{ from, to int32 }

func (c *checker) value(i, level int) int {
	if i == len(c.b) {
		return 0
	}
	switch c.b[i] {
	case '"':
		return c.text(i)
	case '{':
		return c.object(i, level)
	case '[':
		return c.array(i, level)
	case 't':
		return c.word(i, "true")
	case 'f':
		return c.word(i, "false")
	case 'n':
		return c.word(i, "null")
	}
	return c.number(i)
}

func (c *checker) object(i, level int) int {
	b, first := c.b, c.count
	if i = jsonscan.Space(b, i+1); level > maxLevels || i == len(b) {
		return 0
	}
	if b[i] == '}' {
		return i + 1
	}
	for {
		if i == len(b) || b[i] != '"' {
			return 0
		}
		c.escaped = false
		from, end := i, c.text(i)
		if end == 0 || !c.newKey(first, i, end) {
			return 0
		}
		if i = jsonscan.Space(b, end); i == len(b) || b[i] != ':' {
			return 0
		}
		at := len(c.fields)
		if level <= 2 && c.collects { // in lists there are none of the second level
			c.fields = append(c.fields, Member{key: b[from+1 : end-1]})
		}
		begin := jsonscan.Space(b, i+1)
		if i = c.value(begin, level+1); i == 0 {
			return 0
		}
		if at < len(c.fields) && level <= 2 {
			c.fields[at].value, c.fields[at].inner = b[begin:i], len(c.fields)-at-1
		}
		if i = jsonscan.Space(b, i); i == len(b) {
			return 0
		}
		switch b[i] {
		case '}':
			c.count = first
			return i + 1
		case ',':
			i = jsonscan.Space(b, i+1)
		default:
			return 0
		}
	}
}

// newKey notes a key, and is false if its object has it already.
func (c *checker) newKey(first, from, to int) bool {
	text := c.b[from:to]
	for _, k := range c.keys[first:c.count] {
		if string(c.b[k.from:k.to]) == string(text) {
			return false
		}
	}
	if c.rare = c.rare || c.escaped || c.count == len(c.keys); c.rare {
		return false
	}
	c.keys[c.count] = key{int32(from), int32(to)}
	c.count++
	return true
}

func (c *checker) array(i, level int) int {
	b := c.b
	if i = jsonscan.Space(b, i+1); level > maxLevels || i == len(b) {
		return 0
	}
	if b[i] == ']' {
		return i + 1
	}
	for {
		if i = c.value(i, level+1); i == 0 {
			return 0
		}
		if i = jsonscan.Space(b, i); i == len(b) {
			return 0
		}
		switch b[i] {
		case ']':
			return i + 1
		case ',':
			i = jsonscan.Space(b, i+1)
		default:
			return 0
		}
	}
}

// text reads a string. UTF-8 has been checked.
func (c *checker) text(i int) int {
	b := c.b
	for i++; i < len(b); i++ {
		if b[i] != '\\' { // as after another escape
			if i += plainBytes(b[i:]); i == len(b) {
				return 0
			}
		}
		switch ch := b[i]; {
		case ch == '"':
			return i + 1
		case ch < ' ':
			return 0
		case ch == '\\':
			c.escaped = true
			if i++; i == len(b) {
				return 0
			}
			switch b[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if i+4 >= len(b) || !hex(b[i+1]) || !hex(b[i+2]) || !hex(b[i+3]) || !hex(b[i+4]) {
					return 0
				}
				if b[i+1]|0x20 == 'd' && b[i+2] >= '8' { // perhaps half a character
					c.rare = true
					return 0
				}
				i += 4
			default:
				return 0
			}
		}
	}
	return 0
}

// plainBytes counts the bytes up to a quote, a backslash or a control character.
func plainBytes(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; n+8 <= len(b); n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		// The lowest bit that is set is right; those above it may owe to a borrow.
		if found := ((w - ones*' ') | (quote - ones) | (slash - ones)) &^ w & highs; found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
	}
	for ; n < len(b) && b[n] >= ' ' && b[n] != '"' && b[n] != '\\'; n++ {
	}
	return n
}

func hex(ch byte) bool {
	return ch >= '0' && ch <= '9' || ch|0x20 >= 'a' && ch|0x20 <= 'f'
}

func (c *checker) word(i int, word string) int {
	if end := i + len(word); end <= len(c.b) && string(c.b[i:end]) == word {
		return end
	}
	return 0
}

// number follows RFC 8259 section 6.
func (c *checker) number(i int) int {
	b := c.b
	digits := func() bool {
		from := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > from
	}
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return 0
	}
	if i < len(b) && b[i] == '.' {
		if i++; !digits() {
			return 0
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return 0
		}
	}
	return i
}
