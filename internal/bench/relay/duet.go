package relay

// This file speaks Duet's signaling: two users call each other, then ask for the relay.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/gorilla/websocket"
)

// wire is a WebSocket whose messages wait in a channel.
type wire struct {
	ws   *websocket.Conn
	in   chan map[string]any
	over chan struct{}
	err  error // why it is over
}

func dialWire(ctx context.Context, url string, protocols ...string) (*wire, error) {
	dialer := websocket.Dialer{Subprotocols: protocols}
	ws, response, err := dialer.DialContext(ctx, url, nil)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", url, err)
	}
	response.Body.Close()
	w := &wire{ws: ws, in: make(chan map[string]any, 256), over: make(chan struct{})}
	go func() {
		defer close(w.over)
		for {
			var m map[string]any
			if w.err = ws.ReadJSON(&m); w.err != nil {
				return
			}
			select {
			case w.in <- m:
			default:
				w.err = errors.New("more messages than anybody reads")
				return
			}
		}
	}()
	return w, nil
}

func (w *wire) next(ctx context.Context) (map[string]any, error) {
	select {
	case m := <-w.in:
		return m, nil
	default:
	}
	select {
	case m := <-w.in:
		return m, nil
	case <-w.over:
		return nil, fmt.Errorf("the signaling connection ended: %w", w.err)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// write sends an object in one frame. WriteJSON would end it with a line break, which Janus takes for a message of its own.
func (w *wire) write(m object) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return w.ws.WriteMessage(websocket.TextMessage, b)
}

func (w *wire) close() {
	w.ws.Close()
	<-w.over
}

// await reads until a message of the type comes. A refusal ends it.
func (w *wire) await(ctx context.Context, typ string) (map[string]any, error) {
	for {
		m, err := w.next(ctx)
		if err != nil {
			return nil, fmt.Errorf("while waiting for %s: %w", typ, err)
		}
		switch m["type"] {
		case typ:
			return m, nil
		case "error", "relayFailed", "callEnded":
			text, _ := json.Marshal(m)
			return nil, fmt.Errorf("while waiting for %s: %s", typ, text)
		}
	}
}

type object = map[string]any

// duetCall is one call's two users.
type duetCall struct{ a, b *wire }

func dialDuet(ctx context.Context, url string, n int) (signaling, error) {
	c := &duetCall{}
	var err error
	names := rand.Uint32()
	for i, w := range []**wire{&c.a, &c.b} {
		if *w, err = dialWire(ctx, url); err != nil {
			c.hangUp()
			return nil, err
		}
		join := object{"type": "join", "username": fmt.Sprintf("bench-%08x-%d-%d", names, n, i), "features": []string{"presence-none", "call-state"}}
		if err = (*w).write(join); err == nil {
			_, err = (*w).await(ctx, "welcome")
		}
		if err != nil {
			c.hangUp()
			return nil, err
		}
	}
	if err = c.a.write(object{"type": "call", "target": fmt.Sprintf("bench-%08x-%d-1", names, n)}); err == nil {
		_, err = c.b.await(ctx, "incomingCall")
	}
	if err == nil {
		err = c.b.write(object{"type": "callResponse", "accepted": true})
	}
	if err == nil {
		_, err = c.a.await(ctx, "callAnswered")
	}
	if err == nil {
		err = c.a.write(object{"type": "relayRequest", "reason": "user"})
	}
	for _, w := range []*wire{c.a, c.b} {
		if err == nil {
			_, err = w.await(ctx, "relayStart")
		}
	}
	if err != nil {
		c.hangUp()
		return nil, err
	}
	return c, nil
}

// connect offers at both ends, since the relay answers when it knows both.
func (c *duetCall) connect(ctx context.Context, a, b *peer) error {
	ends := []struct {
		w *wire
		p *peer
	}{{c.a, a}, {c.b, b}}
	for _, end := range ends {
		offer := object{"type": "offer", "sdp": end.p.text("actpass")}
		if err := end.w.write(object{"type": "offer", "target": "relay", "offer": offer}); err != nil {
			return err
		}
	}
	for _, end := range ends {
		m, err := end.w.await(ctx, "answer")
		if err != nil {
			return err
		}
		answer, _ := m["answer"].(object)
		text, _ := answer["sdp"].(string)
		if err := end.p.meet(text, true); err != nil {
			return fmt.Errorf("the relay's answer: %w", err)
		}
		end.p.dtlsClient = end.p.remote.setup == "passive"
	}
	return nil
}

func (c *duetCall) carries(ctx context.Context) error {
	for _, w := range []*wire{c.a, c.b} {
		if _, err := w.await(ctx, "relayReady"); err != nil {
			return err
		}
	}
	return nil
}

func (c *duetCall) hangUp() {
	for _, w := range []*wire{c.a, c.b} {
		if w != nil {
			_ = w.write(object{"type": "leave"}) // the connection ends anyway
			w.close()
		}
	}
}
