package protocol

// This file is iceServers: a client asks for fresh credentials, and gets them.

import "time"

// ICEServersRequest is the client's form.
type ICEServersRequest struct{}

func decodeICEServers(Fields) (Request, Refusal) { return ICEServersRequest{}, OK }

// ICEServers are the servers of an RTCConfiguration; none when TURN is off.
type ICEServers struct {
	STUN, TURN           []string // URLs
	Username, Credential string
	Expires              time.Time
}

func (s ICEServers) fields(o Object) Object {
	o = append(o.Key("iceServers"), '[')
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
	if len(s.STUN) > 0 {
		urls(s.STUN)
		o = append(o, '}')
	}
	if len(s.TURN) > 0 {
		if len(s.STUN) > 0 {
			o = append(o, ',')
		}
		urls(s.TURN)
		o = o.Str("username", s.Username).Str("credential", s.Credential)
		o = append(o, '}')
	}
	o = append(o, ']')
	if s.Expires.IsZero() {
		return o.Int("iceExpiresAt", 0)
	}
	// Clients' clocks are often wrong, by hours.
	return o.Int("iceExpiresAt", s.Expires.UnixMilli()).Int("iceExpiresInMs", max(time.Until(s.Expires).Milliseconds(), 0))
}

// ICEServersMessage is the server's form.
type ICEServersMessage struct{ ICE ICEServers }

func (m ICEServersMessage) Append(b []byte) Object { return m.ICE.fields(begin(b, "iceServers")) }
