package protocol

// This file is relayReady: both legs carry media.

// RelayReadyMessage is the server's form.
type RelayReadyMessage struct{ CallID string }

func (m RelayReadyMessage) Append(b []byte) Object {
	return begin(b, "relayReady").Str("callId", m.CallID)
}
