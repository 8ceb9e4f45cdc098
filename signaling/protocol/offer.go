package protocol

// This file is offer: a description that the other party, or the relay, answers.

// OfferRequest is the client's form.
type OfferRequest struct {
	CallRef
	Offer []byte // {type, sdp} as it is forwarded
	SDP   string // decoded, for the relay
	At    Addresses
}

func decodeOffer(f Fields) (Request, Refusal) {
	ref, r := f.callRef()
	if r != OK {
		return nil, r
	}
	raw, sdp, at, r := f.description("offer", "offer")
	return OfferRequest{ref, raw, sdp, at}, r
}

// OfferMessage is the server's form.
type OfferMessage struct {
	Offer                    []byte
	Caller, CallerID, CallID string
}

func (m OfferMessage) Append(b []byte) Object {
	return begin(b, "offer").Raw("offer", m.Offer).Str("caller", m.Caller).Str("callerId", m.CallerID).Str("callId", m.CallID)
}
