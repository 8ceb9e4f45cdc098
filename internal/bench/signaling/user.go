package signaling

// This file is one user: its connection, its numbering, its messages.

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"duet/internal/bench"
)

type stage uint8

const (
	away stage = iota
	connecting
	upgrading
	entering // join or resume is sent
	here
)

// user is one client.
type user struct {
	index  int
	name   string
	from   netip.Addr
	stream *bench.Stream
	stage  stage
	in     []byte // an incomplete frame
	parts  []byte // the beginning of a fragmented message
	since  time.Time

	id, session string
	seq, ack    uint64
	resuming    bool
	sid         string // of a session of Engine.IO
	post        []byte // packets that wait for a request
	view        set    // who this user believes is here
	wrong       int    // how many it is wrong about

	call *call
}

// event is what a user reads of a message; presence is read elsewhere.
type event struct {
	Type     string          `json:"type"`
	Seq      uint64          `json:"seq"`
	ID       string          `json:"id"`
	Session  string          `json:"session"`
	Resumed  bool            `json:"resumed"`
	Accepted bool            `json:"accepted"`
	CallerID string          `json:"callerId"`
	Reason   string          `json:"reason"`
	Code     string          `json:"code"`
	Message  string          `json:"message"`
	Request  string          `json:"request"`
	Features []string        `json:"features"`
	Offer    json.RawMessage `json:"offer"`
}

// dial connects; joining or resuming follows by itself.
func (w *world) dial(u *user) error {
	st, err := w.streams.Dial(u.index, u.from, w.to.addr)
	if err != nil {
		return err
	}
	u.stream, u.stage, u.in, u.parts, u.since = st, connecting, nil, nil, time.Now()
	if w.o.Polling {
		u.sid, u.post = "", nil
		w.ask(u)
	} else {
		st.Write(upgrade(w.to))
	}
	return nil
}

// drop cuts the connection without a word, as a lost network does.
func (u *user) drop() {
	u.stream.Close()
	u.stage = away
}

// send sends one message; with feature resume it is numbered. body is an object's inside without braces.
func (w *world) send(u *user, typ, body string) {
	if w.o.SocketIO {
		w.scratch = appendEvent(w.scratch[:0], typ, body)
		w.sendPacket(u, w.scratch)
		return
	}
	b := append(w.scratch[:0], `{"type":"`...)
	b = append(b, typ...)
	b = append(b, '"')
	if body != "" {
		b = append(append(b, ','), body...)
	}
	if w.o.resumes() && typ != "join" && typ != "resume" {
		u.seq++
		b = strconv.AppendUint(append(b, `,"seq":`...), u.seq, 10)
		b = strconv.AppendUint(append(b, `,"ack":`...), u.ack, 10)
	}
	w.scratch = append(b, '}')
	w.frame = appendFrame(w.frame[:0], opText, w.scratch)
	u.stream.Write(w.frame)
}

// resumes says whether the users are as our own clients are; plain ones know nothing of it.
func (o *Options) resumes() bool { return o.Presence != "list" && !o.SocketIO }

// enter sends join, or resume when there is a session.
func (w *world) enter(u *user) {
	u.stage = entering
	if u.session != "" {
		u.resuming = true
		w.send(u, "resume", fmt.Sprintf(`"session":%q,"ack":%d`, u.session, u.ack))
		return
	}
	features := ""
	switch w.o.Presence {
	case "delta":
		features = `,"features":["resume","call-state","presence-delta"]`
	case "none":
		features = `,"features":["resume","call-state","presence-none"]`
	}
	w.send(u, "join", fmt.Sprintf(`"username":%q%s`, u.name, features))
}

// on takes what the connections report.
func (w *world) on(ev bench.StreamEvent) {
	u := w.users[ev.Stream.ID]
	if u.stream != ev.Stream {
		return // of a connection that this user has left
	}
	switch {
	case ev.Err != nil:
		if u.stage != away {
			w.fail(fmt.Errorf("user %d lost its connection while %s: %w", u.index, [...]string{"away", "connecting", "upgrading", "entering", "here"}[u.stage], ev.Err))
		}
	case ev.Data == nil && w.o.Polling:
		u.stage = entering
	case ev.Data == nil:
		u.stage = upgrading
	case w.o.Polling:
		w.polled(u, ev.Data, ev.At)
	default:
		w.data(u, ev.Data, ev.At)
	}
}

func (w *world) data(u *user, b []byte, at int64) {
	if len(u.in) > 0 {
		u.in = append(u.in, b...)
		b = u.in
	}
	if u.stage == upgrading {
		rest, done, err := upgraded(b)
		if err != nil {
			w.fail(err)
			return
		}
		if !done {
			u.in = append(u.in[:0:0], b...)
			return
		}
		b = rest
		if u.stage = entering; !w.o.SocketIO {
			w.enter(u)
		}
	}
	for len(b) > 0 && !u.stream.Closed() {
		op, fin, payload, size, err := readFrame(b)
		if err != nil {
			w.fail(fmt.Errorf("user %d: %w", u.index, err))
			return
		}
		if size == 0 {
			break
		}
		b = b[size:]
		w.received++
		switch op {
		case opPing:
			w.frame = appendFrame(w.frame[:0], opPong, payload)
			u.stream.Write(w.frame)
		case opClose:
			if u.stage != away {
				code := 0
				if len(payload) >= 2 {
					code = int(payload[0])<<8 | int(payload[1])
				}
				w.fail(fmt.Errorf("the server closed user %d with %d", u.index, code))
			}
			u.stream.Close()
		case opText, opContinuation:
			if !fin || len(u.parts) > 0 {
				u.parts = append(u.parts, payload...)
				payload = u.parts
			}
			if fin && w.o.SocketIO {
				payload = w.packet(u, payload)
			}
			if fin && payload != nil {
				w.text(u, payload, at)
			}
			if fin {
				u.parts = nil
			}
		}
	}
	// What is left waits in memory of its own, and only as much as it is.
	if len(b) == 0 {
		u.in = nil
	} else if len(u.in) == 0 || &b[0] != &u.in[0] {
		u.in = append([]byte(nil), b...)
	}
}

// text takes one message.
func (w *world) text(u *user, b []byte, at int64) {
	if w.presence(u, b) {
		return
	}
	var ev event
	if err := json.Unmarshal(b, &ev); err != nil {
		w.fail(fmt.Errorf("user %d got no JSON: %w", u.index, err))
		return
	}
	if ev.Seq > 0 {
		if ev.Seq <= u.ack {
			return // again, after a resume
		}
		u.ack = ev.Seq
	}
	switch ev.Type {
	case "welcome":
		w.welcome(u, ev)
	case "session":
		u.session = ev.Session
	case "error":
		w.fail(fmt.Errorf("user %d: the server refused %s with %s: %s", u.index, ev.Request, ev.Code, ev.Message))
	case "goingAway":
		w.fail(fmt.Errorf("the server is going away"))
	default:
		w.callMessage(u, ev, at)
	}
}

func (w *world) welcome(u *user, ev event) {
	if u.resuming {
		if !ev.Resumed {
			w.fail(fmt.Errorf("user %d came back to a new session", u.index))
		}
		u.resuming = false
		w.roamed.Add(time.Since(u.since))
	} else {
		w.joined.Add(time.Since(u.since))
		u.seq, u.ack = 0, 0
		u.id = ev.ID
		w.ids[u.id] = u.index
		w.present.put(u.index, true)
	}
	u.session = ev.Session
	u.stage = here
	w.pending--
}
