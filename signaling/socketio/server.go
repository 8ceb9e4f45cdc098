package socketio

// This file is the handler: what a request asks for, and the beginning of a session.

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"duet/internal/lock"
)

// Config says how a [Server] serves. Everything must be set but Version3.
type Config struct {
	// PingInterval is the time between two pings, PingTimeout how long after one something must have come.
	PingInterval, PingTimeout time.Duration
	// ConnectTimeout is how long a session may be without a namespace, and an upgrade may take.
	ConnectTimeout time.Duration
	// WriteTimeout is how long the answer to a poll may take to be written.
	WriteTimeout time.Duration
	// MaxPayload bounds the body of a post; a Stream has the same limit for a message.
	MaxPayload int
	// QueuePackets and QueueBytes bound what waits for a client's next poll.
	QueuePackets, QueueBytes int
	// Version3 lets clients in that speak Engine.IO 3.
	Version3 bool
	// Check looks at JSON from a client. What is not valid ends the session; what is valid but not clean is handed out
	// with Event.Clean false.
	Check func(json []byte) (valid, clean bool)
	// Admit decides on a new session and says who its events are for. It answers the request itself when it returns nil;
	// else App.Gone is called in the end, whatever comes of the session.
	Admit func(w http.ResponseWriter, r *http.Request, c *Conn) App
	// Upgrade makes a request a WebSocket. It calls opened with what sends, begins to read only then, and reads into what
	// opened returns. When it returns false it has answered the request with an error.
	Upgrade func(w http.ResponseWriter, r *http.Request, c *Conn, opened func(Stream) Receiver) bool
}

// App is who a session's events are for. All methods but AllowRequest, Written and Gone are called one after the other, with Conn.in
// held: they may call any method of any Conn.
type App interface {
	// AllowRequest takes a request from the budget of its address. Requests may be in parallel.
	AllowRequest() bool
	// Allow takes a packet that is no event from the client's budget.
	Allow() bool
	// Name is what others know the client by.
	Name() string
	// Connect is a client that wants a namespace; auth is a JSON object or nil. It calls Conn.Accept or Conn.Refuse.
	Connect(space string, auth []byte)
	Event(Event)
	// Disconnect is a client that has left a namespace.
	Disconnect(space string)
	// Acknowledged says that the client has everything up to this Seq.
	Acknowledged(seq uint64)
	// Pong is the answer to Conn.Ping or to a ping of the session's own.
	Pong()
	// Settle comes after events when no more of them are at hand: what they led to is written now.
	Settle()
	// Written says that packets with these Marks have been handed over to the network.
	Written(marks []string)
	// Lost comes once: nothing but Gone is told any more.
	Lost()
	// Gone comes last: the session holds nothing more.
	Gone()
}

// Event is a client's event. The slices are gone after the call.
type Event struct {
	Space string
	Name  []byte // JSON: a string or a number
	Rest  []byte // JSON: what begins with the first argument, up to the end of Args; nil without one
	Args  []byte // JSON: the array of name and arguments
	ID    []byte // digits: the client waits for Conn.Acknowledge; nil: it does not
	Clean bool   // see Config.Check
}

// Stream is the sending side of a WebSocket. Its methods never wait for the client.
type Stream interface {
	// Push queues a packet for the next Flush; it reports whether there was room.
	Push(Packet) bool
	Flush()
	// Close ends the WebSocket after what is queued, Abort at once.
	Close(code uint16, words string)
	Abort()
}

// Receiver is the receiving side of a WebSocket: its reader calls it, one call after another.
type Receiver interface {
	Text([]byte)
	Binary([]byte)
	// Idle comes after messages when no more of them are at hand.
	Idle()
	// Lost comes once: nothing but Gone is told any more.
	Lost()
	// Gone comes last.
	Gone()
}

// Server is the http.Handler behind /socket.io/.
type Server struct {
	cfg     Config
	message func(c *Conn, b []byte) bool // what Engine.IO carries: Socket.IO, but for tests

	mu    lock.Mutex[lock.Leaf]
	conns map[string]*Conn
}

// New makes a Server.
func New(cfg Config) *Server {
	return &Server{cfg: cfg, message: (*Conn).message, conns: map[string]*Conn{}}
}

// Len is the number of sessions.
func (s *Server) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (s *Server) find(sid string) *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[sid]
}

func (s *Server) add(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c.sid] = c
}

func (s *Server) remove(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c.sid)
}

// refusal is a code that clients know, and its words.
type refusal struct {
	code  int
	words string
}

var (
	unknownTransport = refusal{0, "Transport unknown"}
	unknownSession   = refusal{1, "Session ID unknown"}
	badMethod        = refusal{2, "Bad handshake method"}
	badRequest       = refusal{3, "Bad request"}
	badVersion       = refusal{5, "Unsupported protocol version"}
)

func (why refusal) answer(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	w.Write([]byte(`{"code":` + strconv.Itoa(why.code) + `,"message":"` + why.words + `"}`))
}

// question is what the query of a request says.
type question struct {
	v3, websocket bool
	sid           string
}

func parseQuery(raw string) (q question, why refusal, ok bool) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return q, badRequest, false
	}
	q.v3 = query.Get("EIO") != "4" // clients of version 3 may leave it out
	q.sid = query.Get("sid")
	switch query.Get("transport") {
	case "websocket":
		q.websocket = true
	case "polling":
	default:
		return q, unknownTransport, false
	}
	return q, why, true
}

// ServeHTTP serves one request of any session.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, why, ok := parseQuery(r.URL.RawQuery)
	if !ok {
		why.answer(w)
		return
	}
	if q.sid == "" {
		s.open(w, r, q)
		return
	}
	c := s.find(q.sid)
	switch {
	case c == nil:
		unknownSession.answer(w)
	case c.v3 != q.v3:
		badRequest.answer(w)
	case q.websocket:
		c.upgrade(w, r)
	case r.Method == http.MethodGet:
		c.poll(w, r)
	case r.Method == http.MethodPost:
		c.post(w, r)
	default:
		badRequest.answer(w)
	}
}

// open begins a session.
func (s *Server) open(w http.ResponseWriter, r *http.Request, q question) {
	switch {
	case r.Method != http.MethodGet:
		badMethod.answer(w)
		return
	case q.v3 && !s.cfg.Version3:
		badVersion.answer(w)
		return
	}
	c := &Conn{server: s, v3: q.v3, sid: newSID()}
	if c.app = s.cfg.Admit(w, r, c); c.app == nil {
		return
	}
	if !q.websocket {
		s.add(c)
		c.begin(nil)
		c.poll(w, r)
		return
	}
	if c.v3 {
		// Its client takes the session's id for its name. No request may use a WebSocket's session, so here it is no secret.
		c.sid = c.app.Name()
	}
	if !s.cfg.Upgrade(w, r, c, func(to Stream) Receiver {
		s.add(c)
		c.begin(to)
		return &inlet{c: c, to: to, adopted: true}
	}) {
		c.app.Gone()
	}
}

// newSID makes a secret: whoever knows it has the session.
func newSID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
