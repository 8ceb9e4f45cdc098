// Package wsconn is one WebSocket. It knows nothing of what is said on it: frames come by [Conn.Push], messages go to a
// [protocol.Receiver]. gorilla/websocket makes the handshake; the frames themselves (RFC 6455 section 5) are read and
// written here, because an idle connection must hold no buffers, a message must cost one system call to read and one to
// write, and whoever has something for a client must not wait for it. The tests read and write with gorilla.
//
// # Goroutines
//
// Each [Conn] has a reader, [Conn.Read], which lives as long as the connection. Only what a socket does not take at once is
// left to a writer, which ends when nothing waits (twenty thousand idle writers would be a hundred megabytes of stacks),
// and for which the reader waits in the end.
//
// # Locks
//
// Conn.mu guards what waits to be written. While something is being written the connection is marked so,
// and the bytes on their way belong to whoever has marked it.
package wsconn
