package protocol

// This file is remark: what the echo user has noticed.

// RemarkMessage is the server's form.
type RemarkMessage struct{ CallID, Code, Message string }

func (m RemarkMessage) Append(b []byte) Object {
	return begin(b, "remark").Str("callId", m.CallID).Str("code", m.Code).Str("message", m.Message)
}
