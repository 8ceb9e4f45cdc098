package protocol

// This file is answer: what the other party, or the relay, says to an offer.

// AnswerRequest is the client's form.
type AnswerRequest struct {
	CallRef
	Answer []byte // {type, sdp} as it is forwarded
	At     Addresses
}

func decodeAnswer(f Fields) (Request, Refusal) {
	ref, r := f.callRef()
	if r != OK {
		return nil, r
	}
	raw, at, r := f.description("answer", "answer", "pranswer")
	return AnswerRequest{ref, raw, at}, r
}

// AnswerMessage is the server's form.
type AnswerMessage struct {
	Answer                   []byte
	Sender, SenderID, CallID string
}

func (m AnswerMessage) Append(b []byte) Object {
	return begin(b, "answer").Raw("answer", m.Answer).Str("sender", m.Sender).Str("senderId", m.SenderID).Str("callId", m.CallID)
}

// AnswerInit is an RTCSessionDescriptionInit of type answer.
func AnswerInit(sdp string) []byte {
	o := Object{'{'}.Str("type", "answer").Str("sdp", sdp)
	return append(o, '}')
}
