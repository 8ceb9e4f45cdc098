package protocol

// This file holds the refusals: stable codes, and words for people.

// Refusal is why a message was not carried out.
type Refusal struct {
	Code, Message string
}

var (
	OK = Refusal{} // nothing is refused

	BadJSON        = Refusal{"bad-json", "this is not one JSON object"}
	BadMessage     = Refusal{"bad-message", "a field is missing or has the wrong form"}
	UnknownType    = Refusal{"unknown-type", "there is no message of this type"}
	TooLarge       = Refusal{"too-large", "a field is longer than allowed"}
	NotJoined      = Refusal{"not-joined", "join first"}
	AlreadyJoined  = Refusal{"already-joined", "this connection has joined already"}
	BadUsername    = Refusal{"bad-username", "this name cannot be used: 1 to 32 visible characters, please"}
	UsernameTaken  = Refusal{"username-taken", "somebody is using this name"}
	Unauthorized   = Refusal{"unauthorized", "joining needs a valid token"}
	UnknownTarget  = Refusal{"unknown-target", "nobody of this name is online"}
	SelfCall       = Refusal{"self-call", "you cannot call yourself"}
	AlreadyInCall  = Refusal{"already-in-call", "you are in a call already"}
	NoSuchCall     = Refusal{"no-such-call", "you are in no such call"}
	NotAccepted    = Refusal{"not-accepted", "the call has not been accepted"}
	NotYourCall    = Refusal{"not-your-call", "this is not your call, or not its other party"}
	RelayOnly      = Refusal{"relay-only", "this server relays every call: only the relay may be told where you are"}
	RateLimited    = Refusal{"rate-limited", "too many messages, slow down"}
	SessionExpired = Refusal{"session-expired", "this session cannot be resumed, join anew"}
	Internal       = Refusal{"internal", "something went wrong at the server"}
)

// Because gives a refusal a more exact message.
func (r Refusal) Because(words string) Refusal { return Refusal{r.Code, words} }
