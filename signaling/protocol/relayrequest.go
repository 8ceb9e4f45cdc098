package protocol

// This file is relayRequest: a party wants its call relayed.

// RelayRequest is the client's form; Reason is ice-failed, ice-timeout or user.
type RelayRequest struct {
	CallRef
	Reason string
}

func decodeRelayRequest(f Fields) (Request, Refusal) {
	ref, r := f.callRef()
	if r != OK {
		return nil, r
	}
	reason, r := f.word("reason")
	if r == OK && reason != "ice-failed" && reason != "ice-timeout" && reason != "user" {
		r = BadMessage.Because("reason must be ice-failed, ice-timeout or user")
	}
	return RelayRequest{ref, reason}, r
}
