package protocol

// This file is incomingCall: somebody rings.

// IncomingCallMessage is the server's form.
type IncomingCallMessage struct {
	Caller, CallerID, CallID string
	Lookalike                bool   // the caller's name can be taken for another's
	Media                    []byte // as call had it; nil: none
}

func (m IncomingCallMessage) Append(b []byte) Object {
	o := begin(b, "incomingCall").Str("caller", m.Caller).Str("callerId", m.CallerID).Str("callId", m.CallID)
	if m.Lookalike {
		o = o.Bool("lookalike", true)
	}
	if m.Media != nil {
		o = o.Raw("media", m.Media)
	}
	return o
}
