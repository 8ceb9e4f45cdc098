package protocol

// This file is ringing: the callee's side knows of a call.

// RingingRequest is the client's form: it shows the call to its user.
type RingingRequest struct{ CallRef }

func decodeRinging(f Fields) (Request, Refusal) {
	ref, r := f.callRef()
	return RingingRequest{ref}, r
}

// RingingMessage is the server's form, for the caller.
type RingingMessage struct{ CallID, Callee, CalleeID string }

func (m RingingMessage) Append(b []byte) Object {
	return begin(b, "ringing").Str("callId", m.CallID).Str("callee", m.Callee).Str("calleeId", m.CalleeID)
}
