package protocol

// This file is endCall: a party hangs up, cancels or declines.

// EndCallRequest is the client's form.
type EndCallRequest struct{ CallRef }

func decodeEndCall(f Fields) (Request, Refusal) {
	ref, r := f.callRef()
	return EndCallRequest{ref}, r
}
