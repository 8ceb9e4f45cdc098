package socketio

// This file swaps the transport under a session: the client probes a WebSocket while it still polls, lets its last poll
// end, and then says so on the WebSocket. Until that word the queue is the polls', from it on the WebSocket's; both are
// decided under one lock, so no packet is on both or on none.

import (
	"net/http"
	"time"
)

// inlet is a WebSocket of a session.
type inlet struct {
	c       *Conn
	to      Stream
	adopted bool // the session's transport; else a probe

	probed bool        // guarded by c.mu: the client has asked
	timer  *time.Timer // guarded by c.mu: ends a probe
}

// upgrade answers the request for a WebSocket of a session that polls.
func (c *Conn) upgrade(w http.ResponseWriter, r *http.Request) {
	if !c.app.AllowRequest() {
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return
	}
	c.server.cfg.Upgrade(w, r, c, func(to Stream) Receiver {
		i := &inlet{c: c, to: to}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.stream != nil || c.probe != nil || c.state != open {
			to.Close(1000, "") // as if it had never been asked for
			return i
		}
		c.probe = i
		i.timer = time.AfterFunc(c.server.cfg.ConnectTimeout, i.giveUp)
		return i
	})
}

// giveUp ends an upgrade that is not complete; the session polls on.
func (i *inlet) giveUp() {
	i.c.mu.Lock()
	mine := i.c.probe == i
	if mine {
		i.c.probe = nil
		i.timer.Stop()
	}
	i.c.mu.Unlock()
	if mine {
		i.to.Close(1000, "")
	}
}

// Text is a message of the client's.
func (i *inlet) Text(b []byte) {
	switch {
	case i.adopted:
		i.c.in.Lock()
		good := i.c.take(b)
		i.c.in.Unlock()
		if !good {
			i.c.fail(engineClose)
		}
	case string(b) == "2probe":
		i.answer()
	case string(b) == "5":
		i.adopt()
	default:
		i.giveUp()
		i.to.Close(1000, "")
	}
}

// Binary is an attachment.
func (i *inlet) Binary([]byte) {
	if !i.adopted {
		i.giveUp()
		i.to.Close(1000, "")
		return
	}
	i.c.in.Lock()
	good := i.c.attachment()
	i.c.in.Unlock()
	if !good {
		i.c.fail(engineClose)
	}
}

// Idle is the end of a burst.
func (i *inlet) Idle() {
	if i.adopted {
		i.c.in.Lock()
		defer i.c.in.Unlock()
		i.c.app.Settle()
	}
}

// answer tells the client that the WebSocket works, and lets its poll end.
func (i *inlet) answer() {
	c := i.c
	if !c.app.AllowRequest() {
		return
	}
	c.mu.Lock()
	if c.probe != i {
		c.mu.Unlock()
		return
	}
	i.to.Push(engine(enginePong, "probe"))
	i.probed = true
	c.hurried = true
	c.wakeLocked()
	c.mu.Unlock()
	i.to.Flush()
}

// adopt makes the WebSocket the session's transport, with all that waits.
func (i *inlet) adopt() {
	c := i.c
	c.mu.Lock()
	if c.probe != i || !i.probed || c.state != open {
		c.mu.Unlock()
		i.giveUp()
		i.to.Close(1000, "")
		return
	}
	i.timer.Stop()
	i.adopted = true
	c.probe, c.stream = nil, i.to
	for _, p := range c.queue {
		i.to.Push(p)
	}
	c.queue, c.bytes = nil, 0
	c.hurried = true
	c.wakeLocked() // a poll that should have ended before
	c.mu.Unlock()
	i.to.Flush()
}

// Lost is the end of the WebSocket, and of the session whose transport it is.
func (i *inlet) Lost() {
	if i.adopted {
		i.c.over()
	} else {
		i.giveUp()
	}
}

// Gone comes when the WebSocket holds nothing more.
func (i *inlet) Gone() {
	if i.adopted {
		i.c.app.Gone()
	}
}
