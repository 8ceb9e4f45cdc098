package protocol

// This file is callAnswered: what becomes of a call, told to the caller.

// CallAnsweredMessage is the server's form.
type CallAnsweredMessage struct {
	Accepted         bool
	Callee, CalleeID string
	CallID           string // "": nothing rang
	Reason           string // unless Accepted
	Note             string // of the callee's client, with "declined"
}

func (m CallAnsweredMessage) Append(b []byte) Object {
	return begin(b, "callAnswered").Bool("accepted", m.Accepted).Str("callee", m.Callee).Str("calleeId", m.CalleeID).
		Optional("callId", m.CallID).Optional("reason", m.Reason).Optional("note", m.Note)
}
