// Package socketio speaks Engine.IO 4 and Socket.IO 5 (and Engine.IO 3 for old clients, when asked to): packets, sessions
// by long polling and over WebSockets, the upgrade from one to the other, heartbeats and namespaces. It knows neither the
// application nor a WebSocket library: events are handed out as slices of JSON, and a WebSocket is a [Stream].
//
// A [Server] is the http.Handler behind /socket.io/; it has the sessions by their ids, which are secrets. A [Conn] is one
// session, whichever transport it is on. An [App] is who its events are for.
//
// The package starts no goroutine: polls and posts run on those of their requests, a Stream's messages on its reader's,
// and a timer for each Conn keeps its heartbeat.
//
// Locks: Conn.in is held while a message is handled, so it is above all that the App locks; Conn.mu, below that, guards
// what waits to be sent and is held over Stream.Push; Server.mu is a leaf.
package socketio
