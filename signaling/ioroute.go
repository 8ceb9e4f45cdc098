package signaling

// This file is the way in by Socket.IO: requests to /socket.io/, and which of them become a connection.

import (
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"duet/signaling/protocol"
	"duet/signaling/socketio"
	"duet/signaling/wsconn"
)

// joinAtLeisure is how long a client that has connected may take to join: pages connect when they are loaded, and
// their users come later.
const joinAtLeisure = time.Hour

// SocketIO is the http.Handler behind /socket.io/, nil when it is off. Its users and those of /ws are the same.
func (h *Hub) SocketIO() http.Handler {
	if !h.cfg.SocketIO {
		return nil
	}
	upgrader := wsconn.New(wsconn.Config{
		MaxMessage: maxMessage, QueueFrames: 2 * h.cfg.OutboxMessages, QueueBytes: 2 * h.cfg.OutboxBytes,
		HandshakeTimeout: h.cfg.JoinTimeout, WriteTimeout: h.cfg.WriteTimeout, IdleTimeout: h.cfg.IdleTimeout,
		CheckOrigin: h.origins.Allow,
		Encode: func(b []byte, f *protocol.Frame) (around []byte, cut int, inner []byte) {
			return socketio.Encode(b, f.Data, f.Tail, f.Seq)
		},
	})
	server := socketio.New(socketio.Config{
		PingInterval: h.cfg.PingInterval, PingTimeout: h.cfg.IdleTimeout - h.cfg.PingInterval,
		ConnectTimeout: h.cfg.JoinTimeout, WriteTimeout: h.cfg.WriteTimeout,
		MaxPayload: maxMessage, QueuePackets: 2 * h.cfg.OutboxMessages, QueueBytes: 2 * h.cfg.OutboxBytes,
		Version3: h.cfg.SocketIOV2,
		Check:    protocol.CheckEvent,
		Admit:    h.admitIO,
		Upgrade: func(w http.ResponseWriter, r *http.Request, c *socketio.Conn, opened func(socketio.Stream) socketio.Receiver) bool {
			return h.upgradeIO(upgrader, w, r, c, opened)
		},
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.crossOrigin(w, r) {
			return
		}
		switch name := strings.TrimPrefix(r.URL.Path, "/socket.io/"); {
		case r.Method == http.MethodOptions:
			w.WriteHeader(http.StatusNoContent)
		case name == "":
			server.ServeHTTP(w, r)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			socketio.ServeClient(w, r, name)
		default:
			http.NotFound(w, r)
		}
	})
}

// crossOrigin refuses pages that may not connect, and tells browsers of those that may.
func (h *Hub) crossOrigin(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Add("Vary", "Origin")
	if !h.allowOrigin(w, r) {
		return false
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		if r.Method == http.MethodOptions {
			w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
			w.Header().Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
			w.Header().Set("Access-Control-Max-Age", "600")
		}
	}
	return true
}

// admitIO takes a place for a session, from its first request on.
func (h *Hub) admitIO(w http.ResponseWriter, r *http.Request, io *socketio.Conn) socketio.App {
	ip := h.proxies.Client(r)
	budget := h.enter(w, ip)
	if budget == nil {
		return nil
	}
	c := &ioConn{io: io}
	c.conn = conn{hub: h, wire: ioWire{io}, ip: ip, host: h.origins.TURNHost(r), budget: budget,
		limit: rate.NewLimiter(rate.Limit(h.cfg.Rate), h.cfg.Burst), asksItself: true, early: earlyID{id: protocol.NewID("u_")}}
	if !c.AllowRequest() {
		h.limits.Leave(ip, time.Now())
		h.conns.running.Done()
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return nil
	}
	h.metrics.connections.Inc()
	h.conns.add(&c.conn)
	h.do(func(st *step) {
		c.joinBy = time.AfterFunc(joinAtLeisure, func() { h.joinTimeout(&c.conn) })
		if st.draining {
			c.close(protocol.CloseGoingAway, "the server is going away")
		}
	})
	return c
}

// upgradeIO makes a WebSocket for a session, a new one or one that polls.
func (h *Hub) upgradeIO(u *wsconn.Upgrader, w http.ResponseWriter, r *http.Request, io *socketio.Conn, opened func(socketio.Stream) socketio.Receiver) bool {
	if !h.conns.enter() {
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return false
	}
	s := &ioSocket{hub: h}
	ws, err := u.Upgrade(w, r, s)
	if err != nil {
		h.conns.running.Done()
		h.log.Debug("websocket handshake refused", "err", err)
		return false
	}
	s.Receiver = opened(ioStream{ws})
	go ws.Read() // a stack of its own: this one has grown by serving HTTP
	return true
}
