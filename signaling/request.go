package signaling

// This file holds one struct for each message type that a client sends. The
// json tags name the fields of the wire; codec.go fills them.

// header is what every message may carry.
type header struct {
	Type   string
	number int    // of the type, -1 for one that no client sends
	Ref    []byte // the raw ref, or else the raw seq, echoed in errors
	Seq    uint64 // 0: none
	Ack    uint64 // 0: none
	HasSeq bool
	badSeq bool // a seq or ack that is no number
}

// about says which call a message means: both are optional.
type about struct {
	CallID string `json:"callId"`
	Target string `json:"target"`
}

func (a about) which() about { return a }

// callRequest is a message about a call that exists.
type callRequest interface{ which() about }

type joinRequest struct {
	Username string   `json:"username"`
	Token    string   `json:"token"`
	Features []string `json:"features"`
}

type resumeRequest struct {
	Session string `json:"session"`
	Ack     uint64 `json:"ack"`
}

type leaveRequest struct{}

type iceServersRequest struct{}

type placeCallRequest struct {
	Target    string `json:"target"`
	HasTarget bool   `json:"-"`
	Media     []byte `json:"media"` // {audio?, video?} as it is forwarded, or nil
}

type callResponseRequest struct {
	about
	Accepted bool `json:"accepted"`
}

type offerRequest struct {
	about
	Offer []byte `json:"offer"` // {type, sdp} as it is forwarded
	sdp   string // decoded, for the relay
	at    addresses
}

type answerRequest struct {
	about
	Answer []byte `json:"answer"`
	at     addresses
}

type iceCandidateRequest struct {
	about
	Candidate []byte `json:"candidate"` // RTCIceCandidateInit as it is forwarded, or null
	at        addresses
}

type mediaStateChangeRequest struct {
	about
	change
}

type endCallRequest struct{ about }

type mediaConnectedRequest struct {
	about
	Path          string  `json:"path"`
	CandidateType string  `json:"candidateType"`
	Protocol      string  `json:"protocol"`
	SetupMs       float64 `json:"setupMs"`
	HasSetup      bool    `json:"-"`
}

type callStatsRequest struct {
	about
	Path        string  `json:"path"`
	RTTMs       float64 `json:"rttMs"`
	LossPct     float64 `json:"lossPct"`
	JitterMs    float64 `json:"jitterMs"`
	BitrateKbps float64 `json:"bitrateKbps"`
}

type relayRequestRequest struct {
	about
	Reason string `json:"reason"`
}

type relayStopRequest struct{ about }

// diagnosisRequest is what one end saw of a call that does not connect. No text
// of it is kept: it is read into sets of what is known.
type diagnosisRequest struct {
	about
	Candidates    set       `json:"candidates"`
	Protocols     set       `json:"protocols"`
	Families      set       `json:"families"`
	TheirFamilies set       `json:"theirFamilies"`
	Answered      bool      `json:"answered"`
	Blocked       []blocked `json:"blocked"`
	Relay         string    `json:"relay"` // "", refused, silent or connected
}

// set has a bit for each word of a list.
type set uint8

// blocked is a server that did not serve a client.
type blocked struct {
	by   int // of serverKinds
	code int // 701: no answer, else a STUN error code
}

// The words of a diagnosis, in the order of their bits.
var (
	candidateKinds = [...]string{"host", "srflx", "prflx", "relay"}
	protocols      = [...]string{"udp", "tcp"}
	familyNames    = [...]string{"ip4", "ip6", "hidden"}
	relayFates     = [...]string{"", "refused", "silent", "connected"}
	serverKinds    = [...]string{"stun", "turn-udp", "turn-tcp", "turn-tls"}
)

// media is what a party sends: its track states.
type media struct {
	Audio  bool `json:"audio"`
	Video  bool `json:"video"`
	Screen bool `json:"screen"`
}

// kinds are the names of the three states, in the order of media's fields.
var kinds = [3]string{"audio", "video", "screen"}

func (m *media) kind(i int) *bool { return [3]*bool{&m.Audio, &m.Video, &m.Screen}[i] }

// change names the states that a mediaStateChange sets.
type change struct {
	named [3]bool // which of kinds
	to    media
}

// single returns the only kind that a change names, or -1.
func (c change) single() int {
	found := -1
	for i, named := range c.named {
		if named {
			if found >= 0 {
				return -1
			}
			found = i
		}
	}
	return found
}

func (c change) empty() bool { return c.named == [3]bool{} }

func (c change) apply(m *media) {
	for i, named := range c.named {
		if named {
			*m.kind(i) = *c.to.kind(i)
		}
	}
}
