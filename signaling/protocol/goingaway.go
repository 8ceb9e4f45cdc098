package protocol

// This file is goingAway: the server ends.

// GoingAwayMessage is the server's form.
type GoingAwayMessage struct{ ReconnectInMs int64 }

func (GoingAwayMessage) unnumbered() {}

func (m GoingAwayMessage) Append(b []byte) Object {
	return begin(b, "goingAway").Int("reconnectInMs", m.ReconnectInMs)
}
