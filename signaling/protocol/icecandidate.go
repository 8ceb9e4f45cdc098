package protocol

// This file is iceCandidate: one more candidate, or the end of them.

import "math"

// ICECandidateRequest is the client's form.
type ICECandidateRequest struct {
	CallRef
	Candidate []byte // RTCIceCandidateInit as it is forwarded, or null
	At        Addresses
}

func decodeICECandidate(f Fields) (Request, Refusal) {
	ref, r := f.callRef()
	if r != OK {
		return nil, r
	}
	raw, at, r := f.candidate()
	return ICECandidateRequest{ref, raw, at}, r
}

// ICECandidateMessage is the server's form.
type ICECandidateMessage struct {
	Candidate                []byte
	Sender, SenderID, CallID string
}

func (m ICECandidateMessage) Append(b []byte) Object {
	return begin(b, "iceCandidate").Raw("candidate", m.Candidate).Str("sender", m.Sender).Str("senderId", m.SenderID).Str("callId", m.CallID)
}

// candidate reads an RTCIceCandidateInit or null.
func (f Fields) candidate() (init []byte, at Addresses, r Refusal) {
	raw := f.get("candidate")
	switch {
	case raw == nil:
		return nil, at, BadMessage.Because("candidate is missing")
	case isNull(raw):
		return raw, at, OK
	case raw[0] != '{':
		return nil, at, BadMessage.Because("candidate must be an RTCIceCandidateInit or null")
	}
	pure := len(raw) <= maxCandidate // and not blown up with white space
	members(raw, func(name, value []byte) bool {
		switch key := string(name); key {
		case "candidate":
			line, isString := unquoted(value)
			if !isString {
				r = BadMessage.Because("candidate.candidate must be a string")
			} else if len(line) > maxCandidate {
				r = TooLarge.Because("the candidate line is longer than 4 KiB")
			}
			at.note(line)
		case "sdpMid", "usernameFragment":
			if s, isString := unquoted(value); !isString && !isNull(value) {
				r = BadMessage.Because("candidate." + key + " must be a string or null")
			} else if len(s) > maxField {
				r = TooLarge.Because("candidate." + key + " is too long")
			}
		case "sdpMLineIndex":
			if n, valid := counter(value); !isNull(value) && (!valid || n > math.MaxUint16) {
				r = BadMessage.Because("candidate.sdpMLineIndex must be a small whole number or null")
			}
		default:
			pure = false
		}
		return r == OK
	})
	if r == OK && !pure {
		raw = onlyCandidate(raw)
	}
	return raw, at, r
}

// onlyCandidate leaves out what an RTCIceCandidateInit does not have.
func onlyCandidate(raw []byte) []byte {
	o := append(make(Object, 0, len(raw)), '{')
	members(raw, func(name, value []byte) bool {
		switch key := string(name); key {
		case "candidate", "sdpMid", "sdpMLineIndex", "usernameFragment":
			o = o.Raw(key, value)
		}
		return true
	})
	return append(o, '}')
}
