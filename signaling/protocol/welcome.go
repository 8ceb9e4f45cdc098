package protocol

// This file is welcome: the first message after join or resume.

// WelcomeMessage is the server's form.
type WelcomeMessage struct {
	ID, Username      string
	Session           string // the token; "" without feature resume
	ICE               ICEServers
	Relay             string // off, fallback, prefer or always
	RelayAfterMs      int64
	GraceMs           int64
	Resumed, Restored bool
	Ack               uint64
	Applied           uint64     // with Restored: of the client's numbers of before the restart
	Call              *CallState // nil: none
	Features          Features
	Server            ServerAbout
}

// ServerAbout is what the server tells of itself.
type ServerAbout struct {
	Name, Version string
	Protocol      int
}

// CallState is the call that a resumed session is in.
type CallState struct {
	CallID, Role, Phase, Peer, PeerID string
	Self, Other                       Media
	Relay                             bool
}

func (WelcomeMessage) unnumbered() {}

func (m WelcomeMessage) Append(b []byte) Object {
	o := begin(b, "welcome").Str("id", m.ID).Str("username", m.Username).Str("session", m.Session)
	o = m.ICE.fields(o)
	o = o.Str("relay", m.Relay).Int("relayAfterMs", m.RelayAfterMs).Int("resumeGraceMs", m.GraceMs).
		Bool("resumed", m.Resumed).Bool("restored", m.Restored).Uint("ack", m.Ack)
	if m.Restored {
		o = o.Uint("applied", m.Applied)
	}
	if c := m.Call; c == nil {
		o = append(o.Key("call"), "null"...)
	} else {
		o = append(o.Key("call"), '{')
		o = o.Str("callId", c.CallID).Str("role", c.Role).Str("phase", c.Phase).Str("peer", c.Peer).Str("peerId", c.PeerID)
		o = bothMedia(o, c.Self, c.Other).Bool("relay", c.Relay)
		o = append(o, '}')
	}
	o = append(o.Key("features"), '[')
	for i, name := range m.Features.Names() {
		if i > 0 {
			o = append(o, ',')
		}
		o = appendQuoted(o, name)
	}
	o = append(o, ']')
	o = append(o.Key("server"), '{')
	o = o.Str("name", m.Server.Name).Str("version", m.Server.Version).Int("protocol", int64(m.Server.Protocol))
	return append(o, '}')
}
