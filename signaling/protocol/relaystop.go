package protocol

// This file is relayStop: a party does not need the relay any more.

// RelayStopRequest is the client's form.
type RelayStopRequest struct{ CallRef }

func decodeRelayStop(f Fields) (Request, Refusal) {
	ref, r := f.callRef()
	return RelayStopRequest{ref}, r
}

// RelayStopMessage is the server's form, for the other party.
type RelayStopMessage struct{ CallID string }

func (m RelayStopMessage) Append(b []byte) Object {
	return begin(b, "relayStop").Str("callId", m.CallID)
}
