package protocol

// This file is callStarted: a call has been accepted, told to both.

// CallStartedMessage is the server's form.
type CallStartedMessage struct {
	CallID, Role, Peer, PeerID string
	Self, Other                Media
}

func (m CallStartedMessage) Append(b []byte) Object {
	o := begin(b, "callStarted").Str("callId", m.CallID).Str("role", m.Role).Str("peer", m.Peer).Str("peerId", m.PeerID)
	return bothMedia(o, m.Self, m.Other)
}
