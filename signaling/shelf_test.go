package signaling

// This file is a connection for tests that look at what is pushed.

import (
	"time"

	"duet/signaling/protocol"
)

// shelf is a connection whose frames nobody writes: they are looked at where they lie.
type shelf struct{ queue []protocol.Frame }

func (c *conn) shelf() *shelf { return c.wire.(*shelf) }

func (s *shelf) Push(f protocol.Frame) (room bool) { s.queue = append(s.queue, f); return true }
func (s *shelf) Flush()                            {}
func (s *shelf) Close(uint16, string)              {}
func (s *shelf) Closing() bool                     { return false }
func (s *shelf) Abort()                            {}
func (s *shelf) LastFrameAt() time.Time            { return time.Now() }
