// Package signaling lets users find and call each other, over WebSockets or by Socket.IO:
// sessions that outlive their connections, and calls between them. What is said
// on the wire is [duet/signaling/protocol]'s, the rules of calls are
// [duet/signaling/call]'s.
//
// # Types
//
// A [Hub] is the http.Handler behind /ws, with [Hub.SocketIO] behind /socket.io/,
// and owns everything else. A conn is what it knows of one connection; the
// WebSocket itself is wsconn's, behind the interface in protocol/conn.go, and an
// ioConn stands between that interface and a session of socketio. A session is one user who is here, with or
// without a conn; it numbers what it sends and keeps it until the client has it.
// A step is one look at or change of all this under the lock, and what it leaves
// to be done without it; it carries out the effects of the rules. presence
// tells who is online. Who may come in is the matter of join.
//
// # Goroutines
//
// Each conn has a reader, which decodes messages, takes them through a step and
// then writes to whomever they reached; for a client that polls its requests'
// goroutines do that, one at a time. Only what a socket does not take at once
// is left to a writer, which ends when nothing waits. [Hub.Run] has four: the
// roster's, which sends lists and deltas; the ticker, which pings and renews
// tokens; one that takes what the relay tells to the rules; and one that reads a
// key set again every hour. Timers (join, ring, grace) run on the runtime's. What
// the rules want of the relay is asked by whoever has released the lock, one
// goroutine at a time and in the order of the steps.
//
// # Locks
//
// Hub.mu guards sessions, calls and every step of the rules. It is one lock and
// not one for each call, because most steps touch two users, their sessions and
// the list of who is busy, and because a step is a few microseconds of work
// (BenchmarkForward). Hub.do alone takes it. Messages are decoded before; the log
// is written, the relay asked, evidence gathered and sockets written after it. A
// fault of ours in a step ends there, whoever began it. That of presence is below it,
// and above that of a connection (wsconn), because lists and deltas must reach
// each connection in their order; all others are leaves. TURN is told with Hub.mu
// held, so that it knows an address before the other party does. Above it is only
// socketio's, by which one client's messages are handled one after another.
//
// Nobody waits for a client. A message that finds no room closes the connection
// of the client that does not read; a session that can be resumed keeps its
// messages and waits for its client, bounded by count and bytes.
package signaling
