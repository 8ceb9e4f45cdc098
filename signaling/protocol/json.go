package protocol

// This file reads and writes the JSON of the wire. The grammar, UTF-8, escapes
// and duplicate keys are checked by jsontext, the lexer of encoding/json/v2;
// encoding/json itself folds the case of keys and accepts duplicates.

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"duet/internal/jsonscan"
)

// shallow reports whether no bracket outside of strings is nested too deeply.
func shallow(b []byte, levels int) bool {
	if bytes.Count(b, []byte{'{'})+bytes.Count(b, []byte{'['}) <= levels {
		return true
	}
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted:
			if c == '\\' {
				i++
			} else if c == '"' {
				quoted = false
			}
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			if depth++; depth > levels {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}

// members calls each for every member of a valid object, until it says false.
func members(Object []byte, each func(key, value []byte) bool) {
	i := jsonscan.Space(Object, jsonscan.Space(Object, 0)+1)
	for Object[i] == '"' {
		end := jsonscan.Value(Object, i)
		key := Object[i+1 : end-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			decoded, _ := unquote(Object[i:end])
			key = []byte(decoded)
		}
		i = jsonscan.Space(Object, jsonscan.Space(Object, end)+1) // over the colon
		end = jsonscan.Value(Object, i)
		if !each(key, Object[i:end]) {
			return
		}
		if i = jsonscan.Space(Object, end); Object[i] == ',' {
			i = jsonscan.Space(Object, i+1)
		}
	}
}

// elements does the same for a valid array.
func elements(array []byte, each func(value []byte) bool) {
	i := jsonscan.Space(array, 1)
	for array[i] != ']' {
		end := jsonscan.Value(array, i)
		if !each(array[i:end]) {
			return
		}
		if i = jsonscan.Space(array, end); array[i] == ',' {
			i = jsonscan.Space(array, i+1)
		}
	}
}

// unquote decodes a valid JSON string; ok is false for any other value.
func unquote(raw []byte) (s string, ok bool) {
	b, ok := unquoted(raw)
	return string(b), ok
}

// unquoted is unquote that needs no memory for what is not escaped.
func unquoted(raw []byte) (b []byte, ok bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return nil, false
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], true
	}
	b, err := jsontext.AppendUnquote(make([]byte, 0, len(raw)), raw)
	return b, err == nil
}

func isNull(raw []byte) bool { return string(raw) == "null" }

// appendQuoted writes a JSON string. Go strings that are not UTF-8 (a relay's
// error text might be) are mended rather than sent.
func appendQuoted(b []byte, s string) []byte {
	plain := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	b, _ = jsontext.AppendQuote(b, s)
	return b
}

// Object builds a JSON object; whoever sends it closes it, after seq and ack.
type Object []byte

func begin(b []byte, typ string) Object {
	b = append(b, `{"type":"`...)
	b = append(b, typ...)
	return append(b, '"')
}

func (o Object) Key(k string) Object {
	if o[len(o)-1] != '{' {
		o = append(o, ',')
	}
	o = append(o, '"')
	o = append(o, k...)
	return append(o, '"', ':')
}

func (o Object) Str(k, v string) Object         { return appendQuoted(o.Key(k), v) }
func (o Object) Raw(k string, v []byte) Object  { return append(o.Key(k), v...) }
func (o Object) Bool(k string, v bool) Object   { return strconv.AppendBool(o.Key(k), v) }
func (o Object) Int(k string, v int64) Object   { return strconv.AppendInt(o.Key(k), v, 10) }
func (o Object) Uint(k string, v uint64) Object { return strconv.AppendUint(o.Key(k), v, 10) }

// Optional leaves an empty string out.
func (o Object) Optional(k, v string) Object {
	if v == "" {
		return o
	}
	return o.Str(k, v)
}
