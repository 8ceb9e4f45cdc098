package signaling

// This file is a connection by Socket.IO: what the hub sends becomes events, events become messages, and the session's
// numbers are those of connection state recovery.

import (
	"log/slog"
	"time"

	"duet/signaling/protocol"
	"duet/signaling/socketio"
	"duet/signaling/wsconn"
)

// ioConn is a connection by Socket.IO, and the [socketio.App] of its session.
type ioConn struct {
	conn
	io *socketio.Conn
}

// ioWire is its [protocol.Conn].
type ioWire struct{ io *socketio.Conn }

func (w ioWire) Push(f protocol.Frame) (room bool) {
	if f.Kind == protocol.Ping {
		w.io.Ping()
		return true
	}
	p := socketio.Packet{Event: f.Data, Tail: f.Tail, Seq: f.Seq, Latest: f.Kind == protocol.List, Cost: f.Size, Mark: f.Rings}
	if p.Latest {
		p.Cost = 0 // at most one waits
	}
	return w.io.Push(p)
}

func (w ioWire) Flush()                 { w.io.Flush() }
func (w ioWire) Closing() bool          { return w.io.Closing() }
func (w ioWire) Abort()                 { w.io.Abort() }
func (w ioWire) LastFrameAt() time.Time { return w.io.HeardAt() }

// Close says goodbye to whom shall stay away: a client that is not told comes back by itself.
func (w ioWire) Close(code uint16, words string) {
	switch code {
	case protocol.CloseNormal, protocol.ClosePolicy, protocol.CloseEnded:
		w.io.Disconnect("/")
	}
	w.io.Close(code, words, code == protocol.CloseTakenOver || code == protocol.CloseTooSlow)
}

// AllowRequest implements [socketio.App].
func (c *ioConn) AllowRequest() bool { return spend(c.budget, time.Now()) == 0 }

// Allow implements [socketio.App].
func (c *ioConn) Allow() bool { return c.mayControl() }

// Name implements [socketio.App].
func (c *ioConn) Name() string { return c.early.id }

// Connect implements [socketio.App]. It gives the client its id, or has its session back.
func (c *ioConn) Connect(space string, auth []byte) {
	c.hub.do(func(st *step) {
		st.reader = &c.conn
		st.markPending(&c.conn)
		st.connect(c, space, auth)
	})
}

func (st *step) connect(c *ioConn, space string, auth []byte) {
	if space != "/" {
		c.io.Refuse(space, `"Invalid namespace"`)
		return
	}
	if c.session != nil {
		c.io.Refuse(space, `"already connected"`) // it left without ending the connection
		return
	}
	if pid, offset, asks := protocol.ParseRecovery(auth); asks && st.recover(c, pid, offset) {
		return
	}
	answer := protocol.Object{'{'}.Str("sid", c.early.id)
	if st.cfg.ResumeGrace > 0 && !c.io.Version3() {
		c.early.pid = protocol.NewID("p_")
		answer = answer.Str("pid", c.early.pid)
	}
	c.io.Accept(space, string(append(answer, '}')))
}

// recover gives a session a new connection, with what its client has missed.
func (st *step) recover(c *ioConn, pid string, offset uint64) bool {
	s := st.recoverable[pid]
	if s != nil && s.conn != nil && s.conn.flooded.Load() {
		st.end(s, 0, "")
		return false
	}
	if s == nil || !s.acknowledge(offset) {
		return false
	}
	st.takeOver(s, &c.conn)
	c.recovered = true
	s.replay()
	c.io.Accept("/", string(append(protocol.Object{'{'}.Str("sid", s.ID).Str("pid", pid), '}')))
	st.welcome(s, welcoming{resumed: true})
	st.watch(&c.conn, s.Features)
	st.metrics.resumed(true)
	st.logLater(slog.LevelInfo, "session resumed", "id", s.ID, "restored", false)
	return true
}

// Event implements [socketio.App].
func (c *ioConn) Event(e socketio.Event) {
	c.hub.take(&c.conn, nil, &e)
	if e.ID != nil {
		c.io.Acknowledge(e, "[]")
		c.pending = append(c.pending, &c.conn)
	}
}

// Disconnect implements [socketio.App]: the client has said goodbye.
func (c *ioConn) Disconnect(string) {
	c.hub.do(func(st *step) {
		st.reader = &c.conn
		if s := c.session; s != nil {
			st.detach(s)
			st.end(s, 0, "")
		}
		c.early = earlyID{id: protocol.NewID("u_")} // should it connect again
	})
}

// Acknowledged implements [socketio.App].
func (c *ioConn) Acknowledged(seq uint64) {
	c.hub.do(func(*step) {
		if s := c.session; s != nil && s.pid != "" {
			s.proven = true
			s.acknowledge(seq)
		}
	})
}

// Pong implements [socketio.App].
func (c *ioConn) Pong() { c.conn.Pong([]byte(proof)) }

// Settle implements [socketio.App].
func (c *ioConn) Settle() { c.Idle() }

// Written implements [socketio.App].
func (c *ioConn) Written(calls []string) { c.Rang(calls) }

// Lost implements [socketio.App].
func (c *ioConn) Lost() { c.conn.Lost(protocol.CloseAbnormal) }

// ioStream is the sending side of a session's WebSocket.
type ioStream struct{ *wsconn.Conn }

func (s ioStream) Push(p socketio.Packet) bool {
	f := protocol.Frame{Data: p.Data(), Tail: p.Tail, Size: p.Cost, Seq: p.Seq, Rings: p.Mark}
	if p.Latest {
		f.Kind = protocol.List
	}
	return s.Conn.Push(f)
}

// ioSocket is its receiving side.
type ioSocket struct {
	socketio.Receiver
	hub *Hub
}

func (s *ioSocket) Message(text []byte) { s.Text(text) }
func (s *ioSocket) Ping() (answer bool) { return false } // clients never do
func (s *ioSocket) Pong([]byte)         {}
func (s *ioSocket) Lost(int)            { s.Receiver.Lost() }
func (s *ioSocket) Rang(calls []string) { s.hub.rang(calls) }
func (s *ioSocket) Gone() {
	s.Receiver.Gone()
	s.hub.conns.running.Done()
}
