package relay

// This file speaks to the VideoCall plugin of Janus: one session with a handle for each user, over its WebSocket.

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"duet/internal/lock"
)

// janus is one session.
type janus struct {
	w       *wire
	session uint64
	prefix  string
	ended   chan struct{} // the distributor has ended

	mu      lock.Mutex[lock.Leaf] // guards the rest and writing
	waiting map[string]chan object
	handles map[uint64]chan object
}

func dialJanus(ctx context.Context, url string) (*janus, error) {
	w, err := dialWire(ctx, url, "janus-protocol")
	if err != nil {
		return nil, err
	}
	j := &janus{w: w, prefix: fmt.Sprintf("bench%08x", rand.Uint32()), ended: make(chan struct{}), waiting: map[string]chan object{}, handles: map[uint64]chan object{}}
	go j.distribute(context.WithoutCancel(ctx))
	m, err := j.ask(ctx, object{"janus": "create"})
	if err == nil {
		j.session, err = dataID(m)
	}
	if err != nil {
		j.close()
		return nil, fmt.Errorf("janus: create session: %w", err)
	}
	return j, nil
}

// close ends the session, and with it all calls.
func (j *janus) close() {
	j.mu.Lock()
	_ = j.w.write(object{"janus": "destroy", "session_id": j.session, "transaction": "destroy"}) // it would end by itself
	j.mu.Unlock()
	j.w.close()
	<-j.ended
}

// distribute hands messages to who waits for them, and keeps the session alive: Janus ends it after a silent minute.
func (j *janus) distribute(ctx context.Context) {
	defer close(j.ended)
	for {
		one, cancel := context.WithTimeout(ctx, 25*time.Second)
		m, err := j.w.next(one)
		cancel()
		select {
		case <-j.w.over:
			if err != nil {
				return
			}
		default:
		}
		if err != nil {
			j.mu.Lock()
			_ = j.w.write(object{"janus": "keepalive", "session_id": j.session, "transaction": "keepalive"})
			j.mu.Unlock()
			continue
		}
		j.mu.Lock()
		var to chan object
		if m["janus"] == "event" {
			sender, _ := m["sender"].(float64)
			to = j.handles[uint64(sender)]
		} else if t, _ := m["transaction"].(string); m["janus"] != "ack" {
			to = j.waiting[t]
		}
		j.mu.Unlock()
		if to != nil {
			select {
			case to <- m:
			default: // nobody reads that much; what is missing shows as a time-out
			}
		}
	}
}

// ask sends a request and waits for its success.
func (j *janus) ask(ctx context.Context, m object) (object, error) {
	id := fmt.Sprintf("%x", rand.Uint64())
	answer := make(chan object, 1)
	m["transaction"] = id
	if j.session != 0 {
		m["session_id"] = j.session
	}
	j.mu.Lock()
	j.waiting[id] = answer
	err := j.w.write(m)
	j.mu.Unlock()
	defer func() {
		j.mu.Lock()
		delete(j.waiting, id)
		j.mu.Unlock()
	}()
	if err != nil {
		return nil, err
	}
	select {
	case a := <-answer:
		if a["janus"] != "success" {
			text, _ := json.Marshal(a)
			return nil, fmt.Errorf("refused: %s", text)
		}
		return a, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func dataID(m object) (uint64, error) {
	data, _ := m["data"].(object)
	id, ok := data["id"].(float64)
	if !ok {
		return 0, fmt.Errorf("no id in %v", m)
	}
	return uint64(id), nil
}

// handle is one user.
type handle struct {
	j    *janus
	id   uint64
	name string
	in   chan object
}

func (j *janus) attach(ctx context.Context, name string) (*handle, error) {
	m, err := j.ask(ctx, object{"janus": "attach", "plugin": "janus.plugin.videocall"})
	if err != nil {
		return nil, fmt.Errorf("attach to janus.plugin.videocall: %w", err)
	}
	id, err := dataID(m)
	if err != nil {
		return nil, err
	}
	h := &handle{j: j, id: id, name: name, in: make(chan object, 64)}
	j.mu.Lock()
	j.handles[id] = h.in
	j.mu.Unlock()
	if err := h.send(object{"request": "register", "username": name}, ""); err != nil {
		return nil, err
	}
	_, err = h.await(ctx, "registered")
	return h, err
}

// send sends a message to the plugin; its answer comes as an event.
func (h *handle) send(body object, jsep string, sdp ...string) error {
	m := object{"janus": "message", "session_id": h.j.session, "handle_id": h.id, "transaction": fmt.Sprintf("%x", rand.Uint64()), "body": body}
	if jsep != "" {
		m["jsep"] = object{"type": jsep, "sdp": sdp[0], "trickle": false}
	}
	h.j.mu.Lock()
	defer h.j.mu.Unlock()
	return h.j.w.write(m)
}

// await waits for an event of the plugin and returns the SDP that came with it.
func (h *handle) await(ctx context.Context, event string) (sdp string, err error) {
	for {
		select {
		case m := <-h.in:
			plugin, _ := m["plugindata"].(object)
			data, _ := plugin["data"].(object)
			if data["error"] != nil {
				return "", fmt.Errorf("janus: while waiting for %s: %v", event, data["error"])
			}
			result, _ := data["result"].(object)
			if result["event"] != event {
				continue
			}
			jsep, _ := m["jsep"].(object)
			sdp, _ = jsep["sdp"].(string)
			return sdp, nil
		case <-ctx.Done():
			return "", fmt.Errorf("janus: while waiting for %s: %w", event, ctx.Err())
		}
	}
}

// janusCall is one call's two users.
type janusCall struct {
	j    *janus
	a, b *handle
}

func (j *janus) call(ctx context.Context, n int) (signaling, error) {
	c := &janusCall{j: j}
	var err error
	if c.a, err = j.attach(ctx, fmt.Sprintf("%s-%d-a", j.prefix, n)); err != nil {
		return nil, err
	}
	if c.b, err = j.attach(ctx, fmt.Sprintf("%s-%d-b", j.prefix, n)); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *janusCall) connect(ctx context.Context, a, b *peer) error {
	if err := c.a.send(object{"request": "call", "username": c.b.name}, "offer", a.text("actpass")); err != nil {
		return err
	}
	offer, err := c.b.await(ctx, "incomingcall")
	if err != nil {
		return err
	}
	if err := b.accept(offer); err != nil {
		return fmt.Errorf("the offer of Janus: %w", err)
	}
	if err := b.meet(offer, false); err != nil {
		return fmt.Errorf("the offer of Janus: %w", err)
	}
	b.dtlsClient = true
	if err := c.b.send(object{"request": "accept"}, "answer", b.text("active")); err != nil {
		return err
	}
	answer, err := c.a.await(ctx, "accepted")
	if err != nil {
		return err
	}
	if err := a.meet(answer, true); err != nil {
		return fmt.Errorf("the answer of Janus: %w", err)
	}
	a.dtlsClient = a.remote.setup == "passive"
	return nil
}

// carries: Janus says webrtcup for each, but DTLS has told the same.
func (c *janusCall) carries(context.Context) error { return nil }

func (c *janusCall) hangUp() { _ = c.a.send(object{"request": "hangup"}, "") } // the session ends anyway
