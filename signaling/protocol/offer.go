package protocol

// This file is offer: a description that the other party, or the relay, answers.

import "encoding/json"

// OfferRequest is the client's form.
type OfferRequest struct {
	CallRef
	Offer []byte // {type, sdp} as it is forwarded
	SDP   string // decoded, where the relay is the target
	At    Addresses
}

func decodeOffer(f Fields) (Request, Refusal) {
	ref, r := f.callRef()
	if r != OK {
		return nil, r
	}
	raw, at, r := f.description("offer", "offer")
	m := OfferRequest{CallRef: ref, Offer: raw, At: at}
	if r == OK && TargetKey(ref.Target) == RelayName {
		_, inner := f.object("offer")
		m.SDP, _ = unquote(inner.get("sdp"))
	}
	return m, r
}

// SDPOf is the text of an OfferRequest's Offer.
func SDPOf(offer []byte) string {
	var init struct {
		SDP string `json:"sdp"`
	}
	if json.Unmarshal(offer, &init) != nil {
		return "" // it has been read before
	}
	return init.SDP
}

// OfferMessage is the server's form.
type OfferMessage struct {
	Offer                    []byte
	Caller, CallerID, CallID string
}

func (m OfferMessage) Append(b []byte) Object {
	return begin(b, "offer").Raw("offer", m.Offer).Str("caller", m.Caller).Str("callerId", m.CallerID).Str("callId", m.CallID)
}
