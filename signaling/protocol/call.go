package protocol

// This file is call: one user rings another, who gets incomingCall.

// CallRequest is the client's form.
type CallRequest struct {
	Target    string
	HasTarget bool
	Media     []byte // {audio?, video?} as it is forwarded, or nil
}

func decodeCall(f Fields) (Request, Refusal) {
	var m CallRequest
	var r Refusal
	if m.Target, m.HasTarget, r = f.text("target"); r != OK {
		return nil, r
	}
	raw, inner := f.object("media")
	if raw == nil || isNull(raw) {
		return m, OK
	}
	if raw[0] != '{' {
		return nil, BadMessage.Because("media must be an object")
	}
	o := Object{'{'}
	for _, kind := range [...]string{"audio", "video"} {
		on, given, r := inner.boolean(kind)
		if r != OK {
			return nil, r
		}
		if given {
			o = o.Bool(kind, on)
		}
	}
	m.Media = append(o, '}')
	return m, OK
}
