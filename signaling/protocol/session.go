package protocol

// This file is session: a newer token, in place of the one before.

// SessionMessage is the server's form.
type SessionMessage struct{ Session string }

func (SessionMessage) unnumbered() {}

func (m SessionMessage) Append(b []byte) Object { return begin(b, "session").Str("session", m.Session) }
