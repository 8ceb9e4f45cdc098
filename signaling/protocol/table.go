package protocol

// This file is the table of all messages.

// Request is what a client sends, one type for each message.
type Request any

// Message is what the server sends. Append leaves the object open, so that seq
// and ack can follow.
type Message interface {
	Append(b []byte) Object
}

// Unnumbered is what no seq is given to, and what is not kept for a client
// that is away.
type Unnumbered interface {
	Message
	unnumbered()
}

// Scope says when a client may send a message, and how it counts.
type Scope uint8

const (
	Unjoined  Scope = 1 << iota // may come before join or resume
	Joined                      // may come afterwards
	Sequenced                   // carries seq, with feature resume
	InCall                      // is taken to the rules of calls
)

func (s Scope) Has(one Scope) bool { return s&one != 0 }

// Row is one type of message, in either direction or both.
type Row struct {
	Type   string
	Scope  Scope                             // of the client's form
	Decode func(f Fields) (Request, Refusal) // of the client's form; nil: no client sends it
	Keys   []string                          // that Decode reads
	Sent   Message                           // a zero value of the server's form; nil: the server does not send it
}

const ofCall = Joined | Sequenced | InCall

// Table has a row for each type. Clients' types come first: their place in it
// counts them in the metrics.
var Table = [...]Row{
	{Type: "join", Scope: Unjoined, Decode: decodeJoin, Keys: []string{"username", "token", "features"}},
	{Type: "resume", Scope: Unjoined, Decode: decodeResume, Keys: []string{"session", "ack"}},
	{Type: "leave", Scope: Joined | Sequenced, Decode: decodeLeave},
	{Type: "ping", Scope: Unjoined | Joined, Decode: decodePing, Keys: []string{"t"}},
	{Type: "pong", Scope: Unjoined | Joined | Sequenced, Decode: decodePong, Sent: PongMessage{}},
	{Type: "iceServers", Scope: Joined | Sequenced, Decode: decodeICEServers, Sent: ICEServersMessage{}},
	{Type: "call", Scope: ofCall, Decode: decodeCall, Keys: []string{"target", "media"}},
	{Type: "callResponse", Scope: ofCall, Decode: decodeCallResponse, Keys: []string{"accepted"}},
	{Type: "offer", Scope: ofCall, Decode: decodeOffer, Keys: []string{"offer"}, Sent: OfferMessage{}},
	{Type: "answer", Scope: ofCall, Decode: decodeAnswer, Keys: []string{"answer"}, Sent: AnswerMessage{}},
	{Type: "iceCandidate", Scope: ofCall, Decode: decodeICECandidate, Keys: []string{"candidate"}, Sent: ICECandidateMessage{}},
	{Type: "mediaStateChange", Scope: ofCall, Decode: decodeMediaStateChange,
		Keys: []string{"audio", "video", "screen", "mediaType", "enabled"}, Sent: MediaStateChangeMessage{}},
	{Type: "endCall", Scope: ofCall, Decode: decodeEndCall},
	{Type: "mediaConnected", Scope: ofCall, Decode: decodeMediaConnected, Keys: []string{"path", "candidateType", "protocol", "setupMs"}},
	{Type: "callStats", Scope: ofCall, Decode: decodeCallStats, Keys: []string{"path", "rttMs", "lossPct", "jitterMs", "bitrateKbps"}},
	{Type: "relayRequest", Scope: ofCall, Decode: decodeRelayRequest, Keys: []string{"reason"}},
	{Type: "relayStop", Scope: ofCall, Decode: decodeRelayStop, Sent: RelayStopMessage{}},
	{Type: "diagnosis", Scope: ofCall, Decode: decodeDiagnosis,
		Keys: []string{"candidates", "protocols", "families", "theirFamilies", "answered", "blocked", "relay"}},

	{Type: "welcome", Sent: WelcomeMessage{}},
	{Type: "userList", Sent: UserListMessage{}},
	{Type: "presence", Sent: PresenceMessage{}},
	{Type: "session", Sent: SessionMessage{}},
	{Type: "goingAway", Sent: GoingAwayMessage{}},
	{Type: "incomingCall", Sent: IncomingCallMessage{}},
	{Type: "ringing", Sent: RingingMessage{}},
	{Type: "callAnswered", Sent: CallAnsweredMessage{}},
	{Type: "callStarted", Sent: CallStartedMessage{}},
	{Type: "callEnded", Sent: CallEndedMessage{}},
	{Type: "relayStart", Sent: RelayStartMessage{}},
	{Type: "relayReady", Sent: RelayReadyMessage{}},
	{Type: "relayFailed", Sent: RelayFailedMessage{}},
	{Type: "verdict", Sent: VerdictMessage{}},
	{Type: "error", Sent: ErrorMessage{}},
}

// numberOf is the place in Table of a type that clients send, else -1.
func numberOf(typ []byte) int {
	for i := range Table {
		if row := &Table[i]; string(typ) == row.Type && row.Decode != nil {
			return i
		}
	}
	return -1
}
