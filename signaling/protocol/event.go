package protocol

// This file reads the same messages as they come by Socket.IO: the type is the event's name, the fields are its argument.

import (
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"duet/internal/jsonscan"
)

// CheckEvent looks at the JSON of an event, which is a list. What is not valid is no JSON at all; what is valid but not
// clean breaks the rules that [Parse] has for a frame.
func CheckEvent(list []byte) (valid, clean bool) {
	if i := jsonscan.Space(list, 0); i < len(list) && list[i] == '[' && utf8.Valid(list) {
		c := checker{b: list}
		if end := c.value(i, 0); end > 0 && !c.rare && jsonscan.Space(list, end) == len(list) { // the list is one level more
			return true, true
		}
	}
	if jsontext.Value(list).IsValid() {
		return true, shallow(list, maxLevels+1)
	}
	return jsontext.Value(list).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)), false
}

// ParseEvent is [Parse] for an event that [CheckEvent] found valid: its name, and rest, which begins with its first
// argument, nil without one. A type within the argument means nothing, and neither do seq and ack, which the transport does
// without.
func ParseEvent(name, rest []byte, clean bool, into Fields) (Header, Fields, Refusal) {
	h := Header{Number: -1}
	if !clean || rest != nil && rest[0] != '{' {
		return h, nil, BadJSON
	}
	if rest != nil {
		c := checker{b: rest, fields: into[:0], collects: true}
		if c.value(0, 1); c.rare {
			into = fieldsOf(rest, into)
		} else {
			into = c.fields
		}
	}
	if h.Type, h.Number = typeName(name); h.Type == "resume" {
		h.Number = -1 // sessions come back with CONNECT
	}
	h.Ref = echo(into.get("ref"))
	if name[0] != '"' {
		return h, into, BadMessage.Because("an event's name must be a string")
	}
	return h, into, OK
}

// ParseRecovery reads what a client sends with CONNECT to have its session back. It is false for one that does not.
func ParseRecovery(auth []byte) (pid string, offset uint64, ok bool) {
	fields, good := parseObject(auth, nil)
	if !good || !utf8.Valid(auth) {
		return "", 0, false
	}
	id, _ := unquoted(fields.get("pid"))
	if text, _ := unquoted(fields.get("offset")); len(text) > 0 { // a client that had no event has none
		var err error
		offset, err = strconv.ParseUint(string(text), 10, 64)
		good = err == nil
	}
	return string(id), offset, good && len(id) > 0
}
