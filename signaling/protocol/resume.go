package protocol

// This file is resume: a session comes back on a new connection. It is answered
// by welcome.

// ResumeRequest is the client's form. Session is the token of the session, and
// Token one to join with that is newer than the session's, or empty.
type ResumeRequest struct {
	Session string
	Token   string
	Ack     uint64
}

func decodeResume(f Fields) (Request, Refusal) {
	var m ResumeRequest
	token, isString := unquote(f.get("session"))
	if !isString {
		return m, BadMessage.Because("session must be a string")
	}
	m.Session = token
	m.Token = f.joinToken()
	if raw := f.get("ack"); raw != nil {
		n, valid := counter(raw)
		if !valid {
			return m, BadMessage.Because("ack must be a whole number")
		}
		m.Ack = n
	}
	return m, OK
}
