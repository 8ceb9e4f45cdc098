package turn

// This file is what waits for a stream's client. It takes what it is sent as fast as its way allows, and no server can make
// peers send less. Payloads that have waited too long are lost instead, as they would be on a slow way without a stream:
// who sends them learns from it, and what comes after them arrives in time. Answers of the server are kept, for over a
// stream nobody asks twice.

import (
	"encoding/binary"
	"slices"
	"time"
)

// maxSendQueue is what may wait in all; more is lost, in whole frames.
const maxSendQueue = 256 << 10

// sendQueue holds whole frames in their order.
type sendQueue struct {
	bytes  []byte
	frames []queued
	taken  int // bytes of those that are taken
	first  int // frame that is not
}

type queued struct {
	size  int
	since time.Time
}

// put appends a frame, padded as it goes over a stream, or says that there is no room.
func (q *sendQueue) put(frame []byte, now time.Time) bool {
	if len(q.bytes)-q.taken+len(frame) > maxSendQueue {
		return false
	}
	if q.taken > maxSendQueue { // as much again as may wait: seldom enough
		q.bytes = slices.Delete(q.bytes, 0, q.taken)
		q.frames = slices.Delete(q.frames, 0, q.first)
		q.taken, q.first = 0, 0
	}
	q.bytes = append(q.bytes, frame...)
	if isChannel(frame[0]) {
		for range -len(frame) & 3 {
			q.bytes = append(q.bytes, 0)
		}
	}
	q.frames = append(q.frames, queued{(len(frame) + 3) &^ 3, now})
	return true
}

// next takes the first frame out, nil if there is none. It stays where it is until the next put.
func (q *sendQueue) next() (frame []byte, since time.Time) {
	if q.first == len(q.frames) {
		if q.bytes, q.frames = q.bytes[:0], q.frames[:0]; cap(q.bytes) > writeSize {
			q.bytes, q.frames = nil, nil
		}
		q.taken, q.first = 0, 0
		return nil, time.Time{}
	}
	f := q.frames[q.first]
	frame = q.bytes[q.taken : q.taken+f.size]
	q.taken += f.size
	q.first++
	return frame, f.since
}

// isPayload tells what peers have sent from the server's own answers.
func isPayload(frame []byte) bool {
	return isChannel(frame[0]) || binary.BigEndian.Uint16(frame) == messageType(methodData, classIndication)
}
