package hostile

// This file is the attacks on signaling and on what it opens: sessions, outboxes, rings, presence, the relay's rooms.

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// attacks are the table of README.
var attacks = []attack{
	{"sessions that lose their connections", ghosts},
	{"joins", joins},
	{"large messages for who reads nothing", outboxes},
	{"messages that do not end", fragments},
	{"large offers in a call", offersInACall},
	{"rings that are taken back", rings},
	{"flapping presence", flapping},
	{"relay rooms without media", emptyRooms},
	{"offers to the relay", relayOffers},
	{"reports over a hole", reports},
	{"media packets that jump", jumps},
	{"silent connections", silentStreams},
	{"requests that do not end", slowRequests},
	{"silent TURN connections", silentTURN},
	{"requests without a password", strangers},
	{"reserved pairs of ports", pairs},
	{"allocations by many names", manyAllocations},
	{"Send indications without a permission", indications},
	{"relayed traffic by many names", traffic},
}

// pace calls step so many times a second until ctx ends or step fails.
func pace(ctx context.Context, perSecond int, step func(i int) error) (n int, err error) {
	const beat = 10 * time.Millisecond
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for start := time.Now(); ; {
		select {
		case <-ctx.Done():
			return n, nil
		case <-tick.C:
		}
		// What a slow machine has missed is made good in part, so that no burst is larger than the attack.
		for due := min(int(time.Since(start).Seconds()*float64(perSecond)), n+max(1, perSecond/20)); n < due; n++ {
			if err := step(n); err != nil {
				return n, err
			}
		}
	}
}

// name is one that nobody has had.
func (h *hostile) name() string {
	h.names++
	return fmt.Sprint("x-", h.names)
}

// call is two names of the attacker's in a call.
func (h *hostile) call(features ...string) (*couple, error) {
	return h.s.call(hostileTCP, hostileTCP, h.name(), features...)
}

// calls are some calls of the attacker's; fewer where the address has no more.
func (h *hostile) calls(n int, features ...string) (all []*couple, end func(), err error) {
	end = func() {
		for _, c := range all {
			c.close()
		}
	}
	for range n {
		c, err := h.call(features...)
		if err != nil {
			end()
			return nil, nil, err
		}
		all = append(all, c)
	}
	return all, end, nil
}

// ghosts joins and cuts the connection: each left a session, for which nobody counted, with its name and an outbox.
func ghosts(ctx context.Context, h *hostile) (string, error) {
	refused := 0
	n, err := pace(ctx, 100, func(int) error {
		w, _, err := h.s.join(hostileTCP, h.name(), "resume", "presence-delta")
		if err != nil {
			refused++
			return nil
		}
		return w.ws.UnderlyingConn().Close()
	})
	return fmt.Sprintf("%d joins, %d refused", n, refused), err
}

// joins is as fast as it can be, and leaves properly.
func joins(ctx context.Context, h *hostile) (string, error) {
	refused := 0
	n, err := pace(ctx, 200, func(int) error {
		w, _, err := h.s.join(hostileTCP, h.name(), "presence-delta")
		if err != nil {
			refused++
			return nil
		}
		defer w.ws.Close()
		return w.send(object{"type": "leave"})
	})
	return fmt.Sprintf("%d joins, %d refused", n, refused), err
}

// outboxes sends to names of its own that do not read.
func outboxes(ctx context.Context, h *hostile) (string, error) {
	calls, end, err := h.calls(10, "resume")
	if err != nil {
		return "", err
	}
	defer end()
	sdp := "v=0\r\n" + strings.Repeat("a=x:0123456789\r\n", 2500)
	n, err := pace(ctx, 200, func(i int) error {
		c := calls[i%len(calls)]
		_ = c.a.send(object{"type": "offer", "offer": object{"type": "offer", "sdp": sdp}}) // refused, or closed for it: that is meant
		return nil
	})
	return fmt.Sprintf("%d messages of 40 KB", n), err
}

// fragments begins messages that never end, and keeps their connections alive.
func fragments(ctx context.Context, h *hostile) (string, error) {
	var open []*websocket.Conn
	defer func() {
		for _, ws := range open {
			ws.Close()
		}
	}()
	refused := 0
	n, err := pace(ctx, 200, func(int) error {
		w, err := h.s.dial(hostileTCP)
		if err != nil {
			refused++
			return nil
		}
		open = append(open, w.ws)
		frame := append([]byte{0x01, 0x80 | 126, 0xea, 0x60, 0, 0, 0, 0}, make([]byte, 60_000)...) // text, not the last one
		_, err = w.ws.UnderlyingConn().Write(frame)
		return err
	})
	return fmt.Sprintf("%d beginnings of 60 KB, %d refused", n, refused), err
}

// victim is an honest user who is called by strangers, and whose acknowledgements are late, as on any long way.
type victim struct {
	w    *wire
	name string

	mu   sync.Mutex
	seq  float64
	gone error
}

func (h *hostile) victim(answers bool) (*victim, error) {
	_, ip := honest(60_000 + h.names)
	v := &victim{name: "victim-" + h.name()}
	var err error
	if v.w, _, err = h.s.join(ip, v.name, "resume", "presence-none", "call-state"); err != nil {
		return nil, err
	}
	go func() {
		err := v.w.read(func(b []byte) {
			var m typed
			if json.Unmarshal(b, &m) != nil {
				return
			}
			if v.mu.Lock(); m.Seq > 0 {
				v.seq = m.Seq
			}
			v.mu.Unlock()
			if m.Type == "incomingCall" && answers {
				_ = v.w.send(object{"type": "callResponse", "accepted": true, "seq": 1}) // the attacker waits for it
			}
		})
		v.mu.Lock()
		defer v.mu.Unlock()
		v.gone = err
	}()
	return v, nil
}

// acknowledge says what has come so far.
func (v *victim) acknowledge() error {
	v.mu.Lock()
	seq, gone := v.seq, v.gone
	v.mu.Unlock()
	if gone != nil {
		return fmt.Errorf("the victim has lost its connection: %w", gone)
	}
	return v.w.send(object{"type": "ack", "ack": seq})
}

// harass attacks a victim that acknowledges late, and says whether it is still there.
func (v *victim) harass(ctx context.Context, attack func(context.Context) error) error {
	defer v.w.ws.Close()
	done := make(chan error, 1)
	go func() { done <- attack(ctx) }()
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				return err
			}
			return v.acknowledge()
		case <-tick.C:
			if err := v.acknowledge(); err != nil {
				return err
			}
		}
	}
}

// offersInACall signs nobody out: who sends more than the other can take is refused.
func offersInACall(ctx context.Context, h *hostile) (string, error) {
	v, err := h.victim(true)
	if err != nil {
		return "", err
	}
	a, _, err := h.s.join(hostileTCP, h.name(), "presence-none", "call-state")
	if err != nil {
		return "", err
	}
	defer a.ws.Close()
	if err := a.send(object{"type": "call", "target": v.name}); err != nil {
		return "", err
	}
	if _, err := a.await("callAnswered"); err != nil {
		return "", err
	}
	refused := drain(a)
	sdp := "v=0\r\n" + strings.Repeat("a=x:0123456789\r\n", 3500)
	n := 0
	err = v.harass(ctx, func(ctx context.Context) (err error) {
		n, err = pace(ctx, 100, func(int) error {
			return a.send(object{"type": "offer", "offer": object{"type": "offer", "sdp": sdp}})
		})
		return err
	})
	return fmt.Sprintf("%d offers of 56 KB, %d refused", n, refused()), err
}

// drain reads what a connection gets, and counts the refusals.
func drain(w *wire) (refused func() int) {
	var n atomic.Int64
	go func() {
		_ = w.read(func(b []byte) { // until the attacker closes it
			var m typed
			if json.Unmarshal(b, &m) == nil && m.Type == "error" {
				n.Add(1)
			}
		})
	}()
	return func() int { return int(n.Load()) }
}

// rings are six names that call the same victim and take it back, once a millisecond together.
func rings(ctx context.Context, h *hostile) (string, error) {
	v, err := h.victim(false)
	if err != nil {
		return "", err
	}
	var callers []*wire
	var refused []func() int
	for range 6 {
		w, _, err := h.s.join(hostileTCP, h.name(), "presence-none", "call-state")
		if err != nil {
			return "", err
		}
		defer w.ws.Close()
		callers, refused = append(callers, w), append(refused, drain(w))
	}
	n := 0
	err = v.harass(ctx, func(ctx context.Context) (err error) {
		n, err = pace(ctx, 500, func(i int) error {
			w := callers[i%len(callers)]
			if err := w.send(object{"type": "call", "target": v.name}); err != nil {
				return err
			}
			return w.send(object{"type": "endCall"})
		})
		return err
	})
	total := 0
	for _, f := range refused {
		total += f()
	}
	if total == 0 && n > 100 {
		return "", fmt.Errorf("%d rings, and none refused", n)
	}
	return fmt.Sprintf("%d rings, %d refused", n, total), err
}

// flapping is pairs that ring and cancel, which everybody is told.
func flapping(ctx context.Context, h *hostile) (string, error) {
	const pairs = 50
	var callers []*wire
	var targets []string
	for range pairs {
		for i := range 2 {
			name := h.name()
			w, _, err := h.s.join(hostileTCP, name, "presence-none", "call-state")
			if err != nil {
				return "", err
			}
			defer w.ws.Close()
			drain(w)
			if i == 0 {
				callers = append(callers, w)
			} else {
				targets = append(targets, name)
			}
		}
	}
	n, err := pace(ctx, 500, func(i int) error {
		if err := callers[i%pairs].send(object{"type": "call", "target": targets[i%pairs]}); err != nil {
			return err
		}
		return callers[i%pairs].send(object{"type": "endCall"})
	})
	return fmt.Sprintf("%d rings of %d pairs", n, pairs), err
}

// emptyRooms asks for more rooms of the relay than there are, and brings nothing into them.
func emptyRooms(ctx context.Context, h *hostile) (string, error) {
	calls, end, err := h.calls(relayCalls + 10)
	if err != nil {
		return "", err
	}
	defer end()
	for _, c := range calls {
		drain(c.a)
		drain(c.b)
	}
	n, err := pace(ctx, 100, func(i int) error {
		return calls[i%len(calls)].a.send(object{"type": "relayRequest", "reason": "user"})
	})
	held := h.s.metric(h.t, "duet_relay_calls", "")
	if most := float64(relayCalls); held > most {
		return "", fmt.Errorf("%v rooms of %v", held, most)
	}
	return fmt.Sprintf("%d requests in %d calls", n, len(calls)), err
}

// relayOffers makes the relay answer, each time with a new connection.
func relayOffers(ctx context.Context, h *hostile) (string, error) {
	calls, end, err := h.calls(4)
	if err != nil {
		return "", err
	}
	defer end()
	l, err := newLeg(nil)
	if err != nil {
		return "", err
	}
	defer l.close()
	offer, err := l.describe()
	if err != nil {
		return "", err
	}
	var refused []func() int
	for _, c := range calls {
		if err := c.relay(); err != nil {
			return "", err
		}
		for _, w := range []*wire{c.a, c.b} {
			refused = append(refused, drain(w))
		}
	}
	n, err := pace(ctx, 200, func(i int) error {
		c := calls[i%len(calls)]
		return []*wire{c.a, c.b}[i/len(calls)%2].send(offer)
	})
	total := 0
	for _, f := range refused {
		total += f()
	}
	return fmt.Sprintf("%d offers of 8 users, %d refused", n, total), err
}

// hold opens connections and does something with each, until ctx ends.
func hold(ctx context.Context, perSecond int, open func() (net.Conn, error)) (n, refused int, err error) {
	var all []net.Conn
	defer func() {
		for _, c := range all {
			c.Close()
		}
	}()
	n, err = pace(ctx, perSecond, func(int) error {
		c, err := open()
		if err != nil {
			refused++
			return nil
		}
		all = append(all, c)
		return nil
	})
	return n, refused, err
}

// silentStreams takes the places of those who have not said yet what they want.
func silentStreams(ctx context.Context, h *hostile) (string, error) {
	n, refused, err := hold(ctx, 1000, func() (net.Conn, error) { return h.s.stream(hostileTCP, h.s.http) })
	return fmt.Sprintf("%d connections, %d refused", n, refused), err
}

// slowRequests takes the places of those who have begun to say it.
func slowRequests(ctx context.Context, h *hostile) (string, error) {
	n, refused, err := hold(ctx, 1000, func() (net.Conn, error) {
		c, err := h.s.stream(hostileTCP, h.s.http)
		if err == nil {
			_, err = c.Write([]byte("GET / HTTP/1.1\r\nHost: duet\r\nX: "))
		}
		return c, err
	})
	return fmt.Sprintf("%d connections, %d refused", n, refused), err
}
