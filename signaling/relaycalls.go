package signaling

// This file takes what the rules want of the relay to it, in their order and
// without the hub's lock, and its news back to the rules.

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"

	"duet/internal/lock"
	"duet/signaling/call"
	"duet/signaling/protocol"
)

// relayCalls are effects for the relay. They are queued under the hub's lock, so
// that their order is that of the steps, and carried out by whoever has released
// it: one goroutine at a time, so that none overtakes another.
type relayCalls struct {
	mu    lock.Mutex[lock.Leaf]
	queue []func()
	busy  bool // somebody carries them out
}

func (q *relayCalls) add(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = append(q.queue, f)
}

func (q *relayCalls) run(h *Hub) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy {
		return // it sees what was added
	}
	q.busy = true
	for len(q.queue) > 0 {
		queue := q.queue
		q.queue = nil
		q.mu.Unlock()
		for _, f := range queue {
			h.apart("ask the relay", f)
		}
		q.mu.Lock()
	}
	q.busy = false
}

// pendingOffer is an offer that the relay has not answered. Guarded by Hub.mu.
type pendingOffer struct {
	by    *call.User
	asked protocol.Header
}

// OpenRelay implements [call.Carrier].
func (st *step) OpenRelay(e call.OpenRelay) {
	h, c, gen := st.Hub, e.Call, e.Call.RelayGen
	users := [2]string{c.Party[0].ID, c.Party[1].ID}
	if c.Echo() {
		users[1] = users[0]
	}
	var from [2]netip.Addr
	for side, p := range c.Party {
		if s := st.sessions[p.ID]; s != nil {
			from[side] = s.from
			if s.conn != nil {
				from[side] = s.conn.ip
			}
		}
	}
	// tell is called on a goroutine of the relay's, which may hold locks of its own.
	tell := func(event, user, detail string) {
		h.relayEvent(func(st *step) { st.relayTold(c, gen, event, user, detail) })
	}
	st.relayCalls.add(func() {
		failed := ""
		if err := h.relay.Reserve(c.ID, users, from, tell); err != nil {
			failed = err.Error()
			h.log.Warn("relay refused a call", "call", c.ID, "err", err)
		}
		h.do(func(st *step) { st.apply(call.RelayOpened{Call: c, Gen: gen, Failed: failed}) })
	})
}

// relayTold takes the relay's news of one room to the rules.
func (st *step) relayTold(c *call.Call, gen int, event, user, detail string) {
	if gen != c.RelayGen {
		return // of a room that is closed
	}
	switch event {
	case "ready":
		st.apply(call.RelayReady{Call: c, Gen: gen})
	case "failed":
		st.apply(call.RelayLost{Call: c, Gen: gen, Detail: detail})
	case "answered", "refused", "unfit", "superseded":
		st.relayAnswered(c, event, user, detail)
	default:
		panic(fmt.Sprintf("the relay tells %q, of which nobody knows", event))
	}
}

// relayAnswered takes the outcome of a user's oldest offer to the rules, as an
// answer to the message that brought it.
func (st *step) relayAnswered(c *call.Call, event, user, detail string) {
	i := slices.IndexFunc(st.offers[c], func(p pendingOffer) bool { return p.by.ID == user })
	if i < 0 {
		return // the room was closed meanwhile
	}
	p := st.offers[c][i]
	st.offers[c] = slices.Delete(st.offers[c], i, i+1)
	if s := st.sessions[p.by.ID]; s != nil {
		st.asker, st.asked = s.conn, p.asked
	}
	answered := call.RelayAnswered{Call: c, Gen: c.RelayGen, To: p.by}
	switch event {
	case "superseded":
		return // the newer offer is answered
	case "answered":
		answered.Answer = protocol.AnswerInit(detail)
	case "unfit":
		answered.Unfit = detail
		fallthrough
	default:
		st.logLater(slog.LevelWarn, "relay could not answer", "call", c.ID, "err", detail)
	}
	st.apply(answered)
}

// Negotiate implements [call.Carrier].
func (st *step) Negotiate(e call.Negotiate) {
	h, c, gen := st.Hub, e.Call, e.Call.RelayGen
	p := pendingOffer{e.By, st.asked}
	p.asked.Ref = bytes.Clone(p.asked.Ref) // of a frame
	st.offers[c] = append(st.offers[c], p)
	init := bytes.Clone(e.Init)
	st.relayCalls.add(func() {
		sdp := e.SDP
		if sdp == "" {
			sdp = protocol.SDPOf(init)
		}
		if err := h.relay.Offer(c.ID, e.By.ID, sdp); err != nil {
			// Behind what the relay has told of the offers before.
			h.relayEvent(func(st *step) { st.relayTold(c, gen, "unfit", e.By.ID, err.Error()) })
		}
	})
}

// CloseRelay implements [call.Carrier].
func (st *step) CloseRelay(e call.CloseRelay) {
	delete(st.offers, e.Call)
	h := st.Hub
	st.relayCalls.add(func() { h.relay.Close(e.Call.ID) })
}

// Mute implements [call.Carrier].
func (st *step) Mute(e call.Mute) {
	h := st.Hub
	st.relayCalls.add(func() { h.relay.Mute(e.Call.ID, e.By.ID, e.Kind, e.On) })
}

// RelayCandidate implements [call.Carrier].
func (st *step) RelayCandidate(e call.RelayCandidate) {
	h, candidate := st.Hub, string(e.Candidate)
	st.relayCalls.add(func() {
		if err := h.relay.Candidate(e.Call.ID, e.By.ID, candidate); err != nil {
			h.log.Debug("relay refused a candidate", "call", e.Call.ID, "err", err)
		}
	})
}
