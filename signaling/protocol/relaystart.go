package protocol

// This file is relayStart: a room of the relay is open for a call.

// RelayStartMessage is the server's form.
type RelayStartMessage struct{ CallID, Reason string }

func (m RelayStartMessage) Append(b []byte) Object {
	return begin(b, "relayStart").Str("callId", m.CallID).Str("reason", m.Reason)
}
