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
	raw, inner := f.object("candidate")
	switch {
	case raw == nil:
		return nil, at, BadMessage.Because("candidate is missing")
	case isNull(raw):
		return raw, at, OK
	case raw[0] != '{':
		return nil, at, BadMessage.Because("candidate must be an RTCIceCandidateInit or null")
	}
	pure := len(raw) <= maxCandidate // and not blown up with white space
	for _, m := range inner {
		switch string(m.key) {
		case "candidate":
			line, isString := unquoted(m.value)
			if !isString {
				return raw, at, BadMessage.Because("candidate.candidate must be a string")
			} else if len(line) > maxCandidate {
				return raw, at, TooLarge.Because("the candidate line is longer than 4 KiB")
			}
			at.note(line)
		case "sdpMid", "usernameFragment":
			if s, isString := unquoted(m.value); !isString && !isNull(m.value) {
				return raw, at, BadMessage.Because("candidate." + string(m.key) + " must be a string or null")
			} else if len(s) > maxField {
				return raw, at, TooLarge.Because("candidate." + string(m.key) + " is too long")
			}
		case "sdpMLineIndex":
			if n, valid := counter(m.value); !isNull(m.value) && (!valid || n > math.MaxUint16) {
				return raw, at, BadMessage.Because("candidate.sdpMLineIndex must be a small whole number or null")
			}
		default:
			pure = false
		}
	}
	if !pure {
		raw = onlyCandidate(inner)
	}
	return raw, at, OK
}

// onlyCandidate leaves out what an RTCIceCandidateInit does not have.
func onlyCandidate(inner Fields) []byte {
	o := Object{'{'}
	for _, m := range inner {
		switch key := string(m.key); key {
		case "candidate", "sdpMid", "sdpMLineIndex", "usernameFragment":
			o = o.Raw(key, m.value)
		}
	}
	return append(o, '}')
}
