package signaling

// This file speaks Socket.IO as far as these clients must.

import (
	"bytes"
	"encoding/json"
)

// appendEvent writes a message as an event.
func appendEvent(b []byte, typ, body string) []byte {
	b = append(b, `42["`...)
	b = append(b, typ...)
	b = append(b, `",{`...)
	b = append(b, body...)
	return append(b, "}]"...)
}

// packet takes a packet, and returns the message of one that is an event.
func (w *world) packet(u *user, b []byte) []byte {
	switch {
	case bytes.HasPrefix(b, []byte("0{")):
		var opened struct{ SID string }
		if err := json.Unmarshal(b[1:], &opened); err != nil {
			w.fail(err)
		}
		u.sid = opened.SID
		w.sendPacket(u, []byte("40"))
	case bytes.HasPrefix(b, []byte("40{")):
		w.enter(u)
	case string(b) == "2":
		w.sendPacket(u, []byte("3"))
	case bytes.HasPrefix(b, []byte(`42["`)):
		return message(b)
	}
	return nil
}

// message makes {"type":"name",…} of 42["name",{…},"offset"]; nil if it is none.
func message(b []byte) []byte {
	name, object, ok := bytes.Cut(b[len(`42["`):], []byte(`",{`))
	end := bytes.LastIndexByte(object, '}')
	if !ok || end < 0 {
		return nil
	}
	m := append(append([]byte(`{"type":"`), name...), '"')
	if end > 0 {
		m = append(m, ',')
	}
	return append(m, object[:end+1]...)
}
