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
	Decode func(f Fields) (Request, Refusal) // of the client's form
	Keys   []string                          // that Decode reads
	Client Request                           // a zero value of the client's form; nil: no client sends it
	Server Message                           // a zero value of the server's form; nil: the server does not send it
}

const ofCall = Joined | Sequenced | InCall

// Table has a row for each type. Clients' types come first: their place in it
// counts them in the metrics.
var Table = [...]Row{
	{Type: "join", Scope: Unjoined, Decode: decodeJoin, Client: JoinRequest{}, Keys: []string{"username", "token", "features"}},
	{Type: "resume", Scope: Unjoined, Decode: decodeResume, Client: ResumeRequest{}, Keys: []string{"session", "ack", "token"}},
	{Type: "leave", Scope: Joined | Sequenced, Decode: decodeLeave, Client: LeaveRequest{}},
	{Type: "ping", Scope: Unjoined | Joined, Decode: decodePing, Client: PingRequest{}, Keys: []string{"t"}},
	{Type: "pong", Scope: Unjoined | Joined | Sequenced, Decode: decodePong, Client: PongRequest{}, Server: PongMessage{}},
	{Type: "iceServers", Scope: Joined | Sequenced, Decode: decodeICEServers, Client: ICEServersRequest{}, Server: ICEServersMessage{}},
	{Type: "call", Scope: ofCall, Decode: decodeCall, Client: CallRequest{}, Keys: []string{"target", "media"}},
	{Type: "callResponse", Scope: ofCall, Decode: decodeCallResponse, Client: CallResponseRequest{}, Keys: []string{"accepted", "reason", "note"}},
	{Type: "ringing", Scope: ofCall, Decode: decodeRinging, Client: RingingRequest{}, Server: RingingMessage{}},
	{Type: "offer", Scope: ofCall, Decode: decodeOffer, Client: OfferRequest{}, Keys: []string{"offer"}, Server: OfferMessage{}},
	{Type: "answer", Scope: ofCall, Decode: decodeAnswer, Client: AnswerRequest{}, Keys: []string{"answer"}, Server: AnswerMessage{}},
	{Type: "iceCandidate", Scope: ofCall, Decode: decodeICECandidate, Client: ICECandidateRequest{}, Keys: []string{"candidate"}, Server: ICECandidateMessage{}},
	{Type: "mediaStateChange", Scope: ofCall, Decode: decodeMediaStateChange, Client: MediaStateChangeRequest{},
		Keys: []string{"audio", "video", "screen", "mediaType", "enabled", "audioCause", "videoCause"}, Server: MediaStateChangeMessage{}},
	{Type: "endCall", Scope: ofCall, Decode: decodeEndCall, Client: EndCallRequest{}},
	{Type: "mediaConnected", Scope: ofCall, Decode: decodeMediaConnected, Client: MediaConnectedRequest{}, Keys: []string{"path", "candidateType", "protocol", "setupMs"}},
	{Type: "callStats", Scope: ofCall, Decode: decodeCallStats, Client: CallStatsRequest{}, Keys: []string{"path", "rttMs", "lossPct", "jitterMs", "bitrateKbps"}},
	{Type: "relayRequest", Scope: ofCall, Decode: decodeRelayRequest, Client: RelayRequest{}, Keys: []string{"reason"}},
	{Type: "relayStop", Scope: ofCall, Decode: decodeRelayStop, Client: RelayStopRequest{}, Server: RelayStopMessage{}},
	{Type: "diagnosis", Scope: ofCall, Decode: decodeDiagnosis, Client: DiagnosisRequest{},
		Keys: []string{"candidates", "protocols", "families", "theirFamilies", "answered", "blocked", "relay"}},

	{Type: "welcome", Server: WelcomeMessage{}},
	{Type: "userList", Server: UserListMessage{}},
	{Type: "presence", Server: PresenceMessage{}},
	{Type: "session", Server: SessionMessage{}},
	{Type: "goingAway", Server: GoingAwayMessage{}},
	{Type: "incomingCall", Server: IncomingCallMessage{}},
	{Type: "callAnswered", Server: CallAnsweredMessage{}},
	{Type: "callStarted", Server: CallStartedMessage{}},
	{Type: "callEnded", Server: CallEndedMessage{}},
	{Type: "relayStart", Server: RelayStartMessage{}},
	{Type: "relayReady", Server: RelayReadyMessage{}},
	{Type: "remark", Server: RemarkMessage{}},
	{Type: "relayFailed", Server: RelayFailedMessage{}},
	{Type: "verdict", Server: VerdictMessage{}},
	{Type: "error", Server: ErrorMessage{}},
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
