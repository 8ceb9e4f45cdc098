package protocol

// This file is verdict: why a call does not connect.

// VerdictMessage is the server's form; Where is self, peer or both.
type VerdictMessage struct{ CallID, Code, Where string }

func (m VerdictMessage) Append(b []byte) Object {
	return begin(b, "verdict").Str("callId", m.CallID).Str("code", m.Code).Str("where", m.Where)
}
