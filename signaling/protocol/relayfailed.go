package protocol

// This file is relayFailed: the relay cannot serve a call.

// RelayFailedMessage is the server's form; Code is relay-unavailable or relay-failed.
type RelayFailedMessage struct{ CallID, Code, Message string }

func (m RelayFailedMessage) Append(b []byte) Object {
	return begin(b, "relayFailed").Str("callId", m.CallID).Str("code", m.Code).Str("message", m.Message)
}
