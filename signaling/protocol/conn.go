package protocol

// This file says what a connection is to the hub, whatever it is made of: a WebSocket (wsconn) or another kind. Frames go
// down by Conn, and what comes up is told to a Receiver.

import (
	"sync"
	"time"
)

// Conn is one client's connection. Its methods may be called by anybody at any time, with any lock held but for Flush, and
// none of them waits for the client. Every implementation keeps this:
//
//   - Order. What is pushed leaves in the order of the calls, whole. Only a List that still waits is replaced, in its place,
//     by a newer one.
//   - Bounds. The frames that wait and the sum of their Size are bounded, what was put back after a try included; a
//     connection that is full closes itself with CloseTooSlow.
//   - Nothing leaves before a Flush or Close by somebody; what is at hand then leaves together.
//   - Ringing. A frame that Rings is told to Receiver.Rang when its bytes have been handed over to the network, not before,
//     and never if they were not.
//   - Closing. After Close nothing is taken or written any more but the closing itself, messages are not told any more, and
//     a client that does not answer is given up after two seconds.
type Conn interface {
	// Push queues a frame, and reports whether there was room. What is pushed to a connection that is closing is lost with
	// it, which is no news: the answer is true.
	Push(f Frame) (room bool)
	// Flush writes what waits, or leaves it to a goroutine of the connection's own. No lock may be held.
	Flush()
	// Close ends the connection after what waits or, with CloseTakenOver and CloseTooSlow, instead of it. Only the first
	// call counts.
	Close(code uint16, words string)
	// Closing reports whether Close was called.
	Closing() bool
	// Abort ends the connection without a word.
	Abort()
	// LastFrameAt is when anything at all came from the client.
	LastFrameAt() time.Time
}

// Receiver is told what happens to one Conn. All but Rang is called by the connection's reader, one call after another,
// with no lock held.
type Receiver interface {
	// Message is a text message, in UTF-8. The bytes are the reader's again after the call.
	Message(text []byte)
	// Ping is a client's ping, and answer says whether it gets a pong.
	Ping() (answer bool)
	// Pong is a client's pong, whoever asked for it.
	Pong(data []byte)
	// Idle comes after messages when no more of them are at hand: whoever is owed an answer is flushed now.
	Idle()
	// Lost comes once: nothing more will be told but Gone. The code is the client's or the one with which its frame was
	// refused, CloseAbnormal without any.
	Lost(code int)
	// Gone is the last call: the connection has no goroutine but the caller's, and holds nothing.
	Gone()
	// Rang says of which calls the incomingCall has been written. It may be called by whoever flushes.
	Rang(calls []string)
}

// BinaryReceiver is a Receiver that takes binary messages; others' connections are closed by one.
type BinaryReceiver interface {
	Receiver
	// Binary is a binary message. The bytes are the reader's again after the call.
	Binary(data []byte)
}

// Kind says how a frame is treated.
type Kind uint8

// The kinds of frames.
const (
	Text Kind = iota
	List      // a text that a newer one replaces
	Ping      // is answered by Receiver.Pong with the same data
)

// Frame is something to be written.
type Frame struct {
	Kind  Kind
	Data  []byte // not changed any more; many connections may send it
	Tail  []byte // follows Data as if it were its end
	Size  int    // what it counts for the bound in bytes; 0 for what the client did not cause
	Seq   uint64 // its number, for kinds of connections that write it beside Data; 0: none
	Rings string // the call whose incomingCall this is
	Room  *Room  // in which Data lies, if it is this frame's alone
}

// Room is memory for the text of one frame. Whoever has written or copied that gives it back; one that is lost is garbage.
type Room struct{ Text []byte }

const roomSize = 4 << 10

var rooms = sync.Pool{New: func() any { return &Room{make([]byte, 0, 512)} }}

// NewRoom returns room that is empty.
func NewRoom() *Room { return rooms.Get().(*Room) }

// GiveBack ends the use of a room; nil is none.
func (r *Room) GiveBack() {
	if r != nil && cap(r.Text) <= roomSize {
		rooms.Put(r)
	}
}

// Close codes: those of RFC 6455 section 7.4.1 that are used, and our own.
const (
	CloseNormal      = 1000
	CloseGoingAway   = 1001
	CloseUnsupported = 1003
	CloseAbnormal    = 1006
	CloseInvalidData = 1007
	ClosePolicy      = 1008
	CloseTakenOver   = 4001
	CloseNotJoined   = 4002
	CloseTooSlow     = 4003
	CloseEnded       = 4004
)
