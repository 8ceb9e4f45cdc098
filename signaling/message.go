package signaling

// This file holds one struct for each message type that the server sends. The
// json tags are the wire's; append writes the same thing without reflection
// (a test holds the two equal), unclosed, so that seq and ack can follow.

import "time"

// message is anything that the server sends.
type message interface {
	append(b []byte) object
}

type welcomeMessage struct {
	ID           string      `json:"id"`
	Username     string      `json:"username"`
	Session      string      `json:"session"`
	ICE          iceServers  `json:"-"` // iceServers, iceExpiresAt
	Relay        string      `json:"relay"`
	RelayAfterMs int64       `json:"relayAfterMs"`
	GraceMs      int64       `json:"resumeGraceMs"`
	Resumed      bool        `json:"resumed"`
	Restored     bool        `json:"restored"`
	Ack          uint64      `json:"ack"`
	Call         *callState  `json:"call"`
	Features     features    `json:"features"`
	Server       serverAbout `json:"server"`
}

type serverAbout struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Protocol int    `json:"protocol"`
}

// callState is welcome's view of the call that a resumed session is in.
type callState struct {
	CallID string `json:"callId"`
	Role   string `json:"role"`
	Phase  string `json:"phase"`
	Peer   string `json:"peer"`
	PeerID string `json:"peerId"`
	Media  struct {
		Self media `json:"self"`
		Peer media `json:"peer"`
	} `json:"media"`
	Relay bool `json:"relay"`
}

func (m welcomeMessage) append(b []byte) object {
	o := begin(b, "welcome").str("id", m.ID).str("username", m.Username).str("session", m.Session)
	o = m.ICE.fields(o)
	o = o.str("relay", m.Relay).int("relayAfterMs", m.RelayAfterMs).int("resumeGraceMs", m.GraceMs).
		bool("resumed", m.Resumed).bool("restored", m.Restored).uint("ack", m.Ack)
	if c := m.Call; c == nil {
		o = append(o.key("call"), "null"...)
	} else {
		o = append(o.key("call"), '{')
		o = o.str("callId", c.CallID).str("role", c.Role).str("phase", c.Phase).str("peer", c.Peer).str("peerId", c.PeerID)
		o = bothMedia(o, c.Media.Self, c.Media.Peer).bool("relay", c.Relay)
		o = append(o, '}')
	}
	o = append(o.key("features"), '[')
	for i, name := range m.Features.names() {
		if i > 0 {
			o = append(o, ',')
		}
		o = appendQuoted(o, name)
	}
	o = append(o, ']')
	o = append(o.key("server"), '{')
	o = o.str("name", m.Server.Name).str("version", m.Server.Version).int("protocol", int64(m.Server.Protocol))
	return append(o, '}')
}

func bothMedia(o object, self, peer media) object {
	o = append(o.key("media"), `{"self":{`...)
	o = append(self.fields(o), `},"peer":{`...)
	return append(peer.fields(o), `}}`...)
}

func (m media) fields(o object) object {
	return o.bool("audio", m.Audio).bool("video", m.Video).bool("screen", m.Screen)
}

// iceServers is what TURN gave; none when it is off.
type iceServers struct {
	stun, turn           []string
	username, credential string
	expires              time.Time
}

func (s iceServers) fields(o object) object {
	o = append(o.key("iceServers"), '[')
	urls := func(list []string) {
		o = append(o, `{"urls":[`...)
		for i, u := range list {
			if i > 0 {
				o = append(o, ',')
			}
			o = appendQuoted(o, u)
		}
		o = append(o, ']')
	}
	if len(s.stun) > 0 {
		urls(s.stun)
		o = append(o, '}')
	}
	if len(s.turn) > 0 {
		if len(s.stun) > 0 {
			o = append(o, ',')
		}
		urls(s.turn)
		o = o.str("username", s.username).str("credential", s.credential)
		o = append(o, '}')
	}
	o = append(o, ']')
	expires := int64(0)
	if !s.expires.IsZero() {
		expires = s.expires.UnixMilli()
	}
	return o.int("iceExpiresAt", expires)
}

type iceServersMessage struct{ ICE iceServers }

func (m iceServersMessage) append(b []byte) object { return m.ICE.fields(begin(b, "iceServers")) }

type sessionMessage struct {
	Session string `json:"session"`
}

func (m sessionMessage) append(b []byte) object { return begin(b, "session").str("session", m.Session) }

type incomingCallMessage struct {
	Caller   string `json:"caller"`
	CallerID string `json:"callerId"`
	CallID   string `json:"callId"`
	Media    []byte `json:"media,omitempty"`
}

func (m incomingCallMessage) append(b []byte) object {
	o := begin(b, "incomingCall").str("caller", m.Caller).str("callerId", m.CallerID).str("callId", m.CallID)
	if m.Media != nil {
		o = o.raw("media", m.Media)
	}
	return o
}

type ringingMessage struct {
	CallID   string `json:"callId"`
	Callee   string `json:"callee"`
	CalleeID string `json:"calleeId"`
}

func (m ringingMessage) append(b []byte) object {
	return begin(b, "ringing").str("callId", m.CallID).str("callee", m.Callee).str("calleeId", m.CalleeID)
}

type callAnsweredMessage struct {
	Accepted bool   `json:"accepted"`
	Callee   string `json:"callee"`
	CalleeID string `json:"calleeId"`
	CallID   string `json:"callId,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

func (m callAnsweredMessage) append(b []byte) object {
	return begin(b, "callAnswered").bool("accepted", m.Accepted).str("callee", m.Callee).str("calleeId", m.CalleeID).
		optional("callId", m.CallID).optional("reason", m.Reason)
}

type callStartedMessage struct {
	CallID string `json:"callId"`
	Role   string `json:"role"`
	Peer   string `json:"peer"`
	PeerID string `json:"peerId"`
	Self   media  `json:"media.self"`
	Other  media  `json:"media.peer"`
}

func (m callStartedMessage) append(b []byte) object {
	o := begin(b, "callStarted").str("callId", m.CallID).str("role", m.Role).str("peer", m.Peer).str("peerId", m.PeerID)
	return bothMedia(o, m.Self, m.Other)
}

type offerMessage struct {
	Offer    []byte `json:"offer"`
	Caller   string `json:"caller"`
	CallerID string `json:"callerId"`
	CallID   string `json:"callId"`
}

func (m offerMessage) append(b []byte) object {
	return begin(b, "offer").raw("offer", m.Offer).str("caller", m.Caller).str("callerId", m.CallerID).str("callId", m.CallID)
}

type answerMessage struct {
	Answer   []byte `json:"answer"`
	Sender   string `json:"sender"`
	SenderID string `json:"senderId"`
	CallID   string `json:"callId"`
}

func (m answerMessage) append(b []byte) object {
	return begin(b, "answer").raw("answer", m.Answer).str("sender", m.Sender).str("senderId", m.SenderID).str("callId", m.CallID)
}

type iceCandidateMessage struct {
	Candidate []byte `json:"candidate"`
	Sender    string `json:"sender"`
	SenderID  string `json:"senderId"`
	CallID    string `json:"callId"`
}

func (m iceCandidateMessage) append(b []byte) object {
	return begin(b, "iceCandidate").raw("candidate", m.Candidate).str("sender", m.Sender).str("senderId", m.SenderID).str("callId", m.CallID)
}

type mediaStateChangeMessage struct {
	Media    media  `json:"-"` // audio, video, screen
	Sender   string `json:"sender"`
	SenderID string `json:"senderId"`
	CallID   string `json:"callId"`
	Kind     int    `json:"-"` // mediaType and enabled of this one, or -1
}

func (m mediaStateChangeMessage) append(b []byte) object {
	o := m.Media.fields(begin(b, "mediaStateChange")).str("sender", m.Sender).str("senderId", m.SenderID).str("callId", m.CallID)
	if m.Kind >= 0 {
		o = o.str("mediaType", kinds[m.Kind]).bool("enabled", *m.Media.kind(m.Kind))
	}
	return o
}

type callEndedMessage struct {
	Caller   string `json:"caller"`
	CallerID string `json:"callerId"`
	CallID   string `json:"callId"`
	Reason   string `json:"reason"`
}

func (m callEndedMessage) append(b []byte) object {
	return begin(b, "callEnded").str("caller", m.Caller).str("callerId", m.CallerID).str("callId", m.CallID).str("reason", m.Reason)
}

type relayStartMessage struct {
	CallID string `json:"callId"`
	Reason string `json:"reason"`
}

func (m relayStartMessage) append(b []byte) object {
	return begin(b, "relayStart").str("callId", m.CallID).str("reason", m.Reason)
}

type relayReadyMessage struct {
	CallID string `json:"callId"`
}

func (m relayReadyMessage) append(b []byte) object {
	return begin(b, "relayReady").str("callId", m.CallID)
}

type relayStopMessage struct {
	CallID string `json:"callId"`
}

func (m relayStopMessage) append(b []byte) object {
	return begin(b, "relayStop").str("callId", m.CallID)
}

type verdictMessage struct {
	CallID string `json:"callId"`
	Code   string `json:"code"`
	Where  string `json:"where"`
}

func (m verdictMessage) append(b []byte) object {
	return begin(b, "verdict").str("callId", m.CallID).str("code", m.Code).str("where", m.Where)
}

type relayFailedMessage struct {
	CallID  string `json:"callId"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (m relayFailedMessage) append(b []byte) object {
	return begin(b, "relayFailed").str("callId", m.CallID).str("code", m.Code).str("message", m.Message)
}

type pongMessage struct {
	T      []byte `json:"t,omitempty"`
	Ack    uint64 `json:"ack,omitempty"`
	HasAck bool   `json:"-"`
}

func (m pongMessage) append(b []byte) object {
	o := begin(b, "pong")
	if m.T != nil {
		o = o.raw("t", m.T)
	}
	if m.HasAck {
		o = o.uint("ack", m.Ack)
	}
	return o
}

type errorMessage struct {
	Code         string `json:"code"`
	Message      string `json:"message"`
	Request      string `json:"request,omitempty"`
	Ref          []byte `json:"ref,omitempty"`
	RetryAfterMs int64  `json:"retryAfterMs,omitempty"`
}

func (m errorMessage) append(b []byte) object {
	o := begin(b, "error").str("code", m.Code).str("message", m.Message).optional("request", m.Request)
	if m.Ref != nil {
		o = o.raw("ref", m.Ref)
	}
	if m.RetryAfterMs > 0 {
		o = o.int("retryAfterMs", m.RetryAfterMs)
	}
	return o
}

type goingAwayMessage struct {
	ReconnectInMs int64 `json:"reconnectInMs"`
}

func (m goingAwayMessage) append(b []byte) object {
	return begin(b, "goingAway").int("reconnectInMs", m.ReconnectInMs)
}
