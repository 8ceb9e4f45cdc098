package protocol

// This file is callResponse: the callee answers, or does not want to.

// CallResponseRequest is the client's form.
type CallResponseRequest struct {
	CallRef
	Accepted bool
	Unable   bool   // the client cannot take calls, whatever its user wants
	Note     string // a word that goes with a refusal
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
	if r != OK {
		return nil, r
	}
	reason, r := f.word("reason")
	if r != OK {
		return nil, r
	}
	note, r := f.token("note")
	return CallResponseRequest{ref, accepted, reason == "unavailable", note}, r
}
