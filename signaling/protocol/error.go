package protocol

// This file is error: a message was refused.

const maxTypeEcho = 64 // characters

// ErrorMessage is the server's form.
type ErrorMessage struct {
	Code, Message string
	Request       string // the refused message's type, by TypeEcho
	Ref           []byte // Header.Ref; nil: none
	RetryAfterMs  int64  // 0: none
}

func (m ErrorMessage) Append(b []byte) Object {
	o := begin(b, "error").Str("code", m.Code).Str("message", m.Message).Optional("request", m.Request)
	if m.Ref != nil {
		o = o.Raw("ref", m.Ref)
	}
	if m.RetryAfterMs > 0 {
		o = o.Int("retryAfterMs", m.RetryAfterMs)
	}
	return o
}

// TypeEcho is a message's type as it may be sent back.
func TypeEcho(typ string) string {
	if len(typ) <= maxTypeEcho {
		return typ
	}
	n := 0
	for i := range typ {
		if n == maxTypeEcho {
			return typ[:i]
		}
		n++
	}
	return typ
}
