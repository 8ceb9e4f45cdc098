package protocol

// This file is mediaStateChange: what a party sends, and what it does not.

import "slices"

// MediaStateChangeRequest is the client's form.
type MediaStateChangeRequest struct {
	CallRef
	MediaChange
}

// decodeMediaStateChange reads both ways to say it: by kind, and by mediaType
// and enabled.
func decodeMediaStateChange(f Fields) (Request, Refusal) {
	ref, r := f.callRef()
	if r != OK {
		return nil, r
	}
	c, r := f.mediaChange()
	return MediaStateChangeRequest{ref, c}, r
}

func (f Fields) mediaChange() (c MediaChange, r Refusal) {
	for i, kind := range Kinds {
		on, given, r := f.boolean(kind)
		if r != OK {
			return c, r
		}
		c.Named[i], *c.To.Kind(i) = given, on
	}
	mediaType, given, r := f.text("mediaType")
	if r != OK {
		return c, r
	}
	enabled, hasEnabled, r := f.boolean("enabled")
	switch {
	case r != OK:
		return c, r
	case given != hasEnabled && (given || c.Empty()):
		return c, BadMessage.Because("mediaType and enabled belong together")
	case given:
		i := slices.Index(Kinds[:], mediaType)
		if i < 0 {
			return c, BadMessage.Because("mediaType must be audio, video or screen")
		}
		if c.Named[i] && *c.To.Kind(i) != enabled {
			return c, BadMessage.Because("the two forms of this change disagree")
		}
		c.Named[i], *c.To.Kind(i) = true, enabled
	case c.Empty():
		return c, BadMessage.Because("no state is named")
	}
	return f.causes(c)
}

// causes reads why what is off is off: words of the clients' own, of which only the form is the server's business.
func (f Fields) causes(c MediaChange) (MediaChange, Refusal) {
	for i, kind := range Kinds[:2] {
		cause, r := f.token(kind + "Cause")
		if r != OK {
			return c, r
		}
		if c.Named[i] && !*c.To.Kind(i) {
			*c.To.Cause(i) = cause
		}
	}
	return c, OK
}

// MediaStateChangeMessage is the server's form.
type MediaStateChangeMessage struct {
	Media                    Media
	Sender, SenderID, CallID string
	Kind                     int // the only one that the client named, or -1
}

func (m MediaStateChangeMessage) Append(b []byte) Object {
	o := m.Media.Fields(begin(b, "mediaStateChange")).Str("sender", m.Sender).Str("senderId", m.SenderID).Str("callId", m.CallID)
	if m.Kind >= 0 {
		o = o.Str("mediaType", Kinds[m.Kind]).Bool("enabled", *m.Media.Kind(m.Kind))
	}
	return o
}
