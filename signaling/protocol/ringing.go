package protocol

// This file is ringing: incomingCall has reached a connection of the callee.

// RingingMessage is the server's form.
type RingingMessage struct{ CallID, Callee, CalleeID string }

func (m RingingMessage) Append(b []byte) Object {
	return begin(b, "ringing").Str("callId", m.CallID).Str("callee", m.Callee).Str("calleeId", m.CalleeID)
}
