package protocol

// This file is callResponse: the callee answers, or does not want to.

// CallResponseRequest is the client's form.
type CallResponseRequest struct {
	CallRef
	Accepted bool
}

func decodeCallResponse(f Fields) (Request, Refusal) {
	ref, r := f.callRef()
	if r != OK {
		return nil, r
	}
	accepted, given, r := f.boolean("accepted")
	if r == OK && !given {
		r = BadMessage.Because("accepted is missing")
	}
	return CallResponseRequest{ref, accepted}, r
}
