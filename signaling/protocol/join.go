package protocol

// This file is join: a user comes in. It is answered by welcome.

// JoinRequest is the client's form. Token is empty when it was missing, no
// string, or too long to be one.
type JoinRequest struct {
	Username string
	Token    string
	Features []string // at most 64
}

func decodeJoin(f Fields) (Request, Refusal) {
	var j JoinRequest
	name, isString := unquote(f.get("username"))
	if !isString {
		return j, BadMessage.Because("username must be a string")
	}
	j.Username = name
	j.Token = f.joinToken()
	if raw := f.get("features"); raw != nil && !isNull(raw) {
		if raw[0] != '[' {
			return j, BadMessage.Because("features must be a list")
		}
		strs := true
		elements(raw, func(value []byte) bool {
			name, isString := unquote(value)
			strs = isString
			if isString && len(j.Features) < 64 {
				j.Features = append(j.Features, name)
			}
			return isString
		})
		if !strs {
			return j, BadMessage.Because("features must be strings")
		}
	}
	return j, OK
}

// joinToken is a token to join with, "" where there is none that could be one.
func (f Fields) joinToken() string {
	token, isString := unquote(f.get("token"))
	if !isString || len(token) > MaxToken {
		return ""
	}
	return token
}
