package protocol

// This file is callEnded: the call is over, told to whom did not end it.

// CallEndedMessage is the server's form.
type CallEndedMessage struct{ Caller, CallerID, CallID, Reason string }

func (m CallEndedMessage) Append(b []byte) Object {
	return begin(b, "callEnded").Str("caller", m.Caller).Str("callerId", m.CallerID).Str("callId", m.CallID).Str("reason", m.Reason)
}
