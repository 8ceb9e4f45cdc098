package main

// A client that says what a test wants it to, and notes what it hears.

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// talker is a WebSocket client that does as it likes.
type talker struct {
	t     *testing.T
	ws    *websocket.Conn
	heard strings.Builder // all that it was told

	session string // the newest token
}

func talk(t *testing.T, page, join string) *talker {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(page, "http")+"/ws", http.Header{"Origin": {page}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	ws.SetReadDeadline(time.Now().Add(30 * time.Second))
	k := &talker{t: t, ws: ws}
	k.say(join)
	return k
}

func (k *talker) say(text string) {
	k.t.Helper()
	if err := k.ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		k.t.Fatal(err)
	}
}

// next is the next message; nil: the connection has ended.
func (k *talker) next() map[string]any {
	k.t.Helper()
	_, data, err := k.ws.ReadMessage()
	if err != nil {
		return nil
	}
	k.heard.Write(append(data, '\n'))
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		k.t.Fatal(err)
	}
	if token, is := m["session"].(string); is {
		k.session = token
	}
	return m
}

// hears waits for a message of a type.
func (k *talker) hears(kind string) map[string]any {
	k.t.Helper()
	for {
		m := k.next()
		if m == nil {
			k.t.Fatalf("no %s came; heard %s", kind, k.heard.String())
		}
		if m["type"] == kind {
			return m
		}
	}
}

// rest reads until the connection ends.
func (k *talker) rest() (all []map[string]any) {
	for m := k.next(); m != nil; m = k.next() {
		all = append(all, m)
	}
	return all
}

// told are those of these types that were heard.
func (k *talker) told(kinds ...string) (found string) {
	for line := range strings.Lines(k.heard.String()) {
		for _, kind := range kinds {
			if strings.Contains(line, `"type":"`+kind+`"`) {
				found += line
			}
		}
	}
	return found
}
