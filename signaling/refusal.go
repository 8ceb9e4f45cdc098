package signaling

// This file holds the refusals: stable codes, and words for people.

// refusal is why a message was not carried out.
type refusal struct {
	Code, Message string
}

var (
	ok = refusal{} // nothing is refused

	refBadJSON       = refusal{"bad-json", "this is not one JSON object"}
	refBadMessage    = refusal{"bad-message", "a field is missing or has the wrong form"}
	refUnknownType   = refusal{"unknown-type", "there is no message of this type"}
	refTooLarge      = refusal{"too-large", "a field is longer than allowed"}
	refNotJoined     = refusal{"not-joined", "join first"}
	refAlreadyJoined = refusal{"already-joined", "this connection has joined already"}
	refBadUsername   = refusal{"bad-username", "this name cannot be used: 1 to 32 visible characters, please"}
	refTaken         = refusal{"username-taken", "somebody is using this name"}
	refUnauthorized  = refusal{"unauthorized", "joining needs a valid token"}
	refUnknownTarget = refusal{"unknown-target", "nobody of this name is online"}
	refSelfCall      = refusal{"self-call", "you cannot call yourself"}
	refInCall        = refusal{"already-in-call", "you are in a call already"}
	refNoCall        = refusal{"no-such-call", "you are in no such call"}
	refNotAccepted   = refusal{"not-accepted", "the call has not been accepted"}
	refNotYours      = refusal{"not-your-call", "this is not your call, or not its other party"}
	refRateLimited   = refusal{"rate-limited", "too many messages, slow down"}
	refExpired       = refusal{"session-expired", "this session cannot be resumed, join anew"}
	//lint:ignore U1000 the contract has the code; nothing has needed it yet
	refInternal = refusal{"internal", "something went wrong at the server"}
)

// because gives a refusal a more exact message.
func (r refusal) because(words string) refusal { return refusal{r.Code, words} }
