package socketio

// This file is Socket.IO on a session: namespaces, events, acknowledgements, and attachments, which are dropped.

import (
	"bytes"
	"time"

	"duet/internal/jsonscan"
)

// message handles a Socket.IO packet; false ends the session. c.in is held.
func (c *Conn) message(b []byte) bool {
	m, ok := decode(b)
	if !ok || c.waiting > 0 {
		return false // something else than the attachments that are due
	}
	if c.v3 {
		m.space, _, _ = bytes.Cut(m.space, []byte{'?'})
	}
	at := c.known(m.space)
	valid, clean := true, true
	if len(m.data) > 0 {
		valid, clean = c.server.cfg.Check(m.data)
	}
	switch {
	case !valid || (at < 0) != (m.typ == typeConnect):
		return false
	case m.typ == typeConnect:
		return c.connect(m)
	case m.typ == typeDisconnect:
		if len(m.data) > 0 {
			return false
		}
		c.leave(at)
		return true
	case m.typ == typeEvent && len(m.data) == 0:
		c.app.Allow()
		return true // means nothing
	case m.attachments > 0:
		c.pending, c.waiting = m.copy(), m.attachments
		c.tidy = clean
		return true
	}
	return c.deliver(m, clean)
}

// copy makes a packet last longer than its frame.
func (m message) copy() message {
	m.space, m.data = bytes.Clone(m.space), bytes.Clone(m.data)
	if m.id != nil {
		m.id = bytes.Clone(m.id)
	}
	return m
}

// deliver takes a packet with arguments to the App.
func (c *Conn) deliver(m message, clean bool) bool {
	switch m.typ {
	case typeEvent, typeBinaryEvent:
		name, rest, ok := split(m.data)
		if ok {
			c.app.Event(Event{Space: nameOf(m.space), Name: name, Rest: rest, Args: m.data, ID: m.id, Clean: clean})
		}
		return ok
	case typeAck, typeBinaryAck: // nothing was asked
		c.app.Allow()
		i := jsonscan.Space(m.data, 0)
		return i < len(m.data) && m.data[i] == '['
	}
	return false
}

// attachment drops one, and delivers its packet with the last. c.in is held.
func (c *Conn) attachment() bool {
	c.mu.Lock()
	if c.state != open {
		c.mu.Unlock()
		return true
	}
	c.heard = time.Now()
	c.mu.Unlock()
	if c.waiting == 0 {
		return false
	}
	if c.waiting--; c.waiting > 0 {
		return true
	}
	m := c.pending
	c.pending = message{}
	return c.deliver(m, c.tidy)
}

// nameOf is a namespace's name; the first needs no memory.
func nameOf(space []byte) string {
	if len(space) == 1 {
		return "/"
	}
	return string(space)
}

func (c *Conn) connect(m message) bool {
	if i := jsonscan.Space(m.data, 0); len(m.data) > 0 && (i == len(m.data) || m.data[i] != '{') {
		return false
	}
	if c.app.Allow() {
		c.app.Connect(string(m.space), m.data)
	}
	return true
}

func (c *Conn) leave(at int) {
	name := c.spaces[at]
	c.spaces = append(c.spaces[:at], c.spaces[at+1:]...)
	if len(c.spaces) == 0 {
		c.mu.Lock()
		c.joinBy = time.Now().Add(c.server.cfg.ConnectTimeout)
		if c.state == open {
			c.timer.Reset(c.next(time.Now()))
		}
		c.mu.Unlock()
	}
	c.app.Disconnect(name)
}

// prefix begins a packet of a namespace.
func prefix(typ byte, name string) string {
	if name == "/" {
		return string(typ)
	}
	return string(typ) + name + ","
}

// Accept lets the client into a namespace; answer is a JSON object. Only for App.Connect.
func (c *Conn) Accept(name, answer string) {
	c.spaces = append(c.spaces, name)
	c.mu.Lock()
	c.joinBy = time.Time{}
	c.mu.Unlock()
	if c.v3 {
		answer = "" // its clients know their id already
	}
	c.Push(Message(prefix(typeConnect, name), answer))
}

// Refuse does not; why is a JSON string. Only for App.Connect.
func (c *Conn) Refuse(name, why string) {
	if !c.v3 {
		why = `{"message":` + why + `}`
	}
	c.Push(Message(prefix(typeConnectError, name), why))
}

// Acknowledge answers an event that has an ID; args is a JSON array.
func (c *Conn) Acknowledge(e Event, args string) {
	c.Push(Message(prefix(typeAck, e.Space), string(e.ID), args))
}

// Disconnect tells the client that it is out of a namespace, so that it does not come back by itself.
func (c *Conn) Disconnect(name string) {
	c.Push(Message(prefix(typeDisconnect, name)))
}

// known reports whether the client is in a namespace. c.in is held.
func (c *Conn) known(space []byte) int {
	for i, s := range c.spaces {
		if bytes.Equal(space, []byte(s)) {
			return i
		}
	}
	return -1
}
