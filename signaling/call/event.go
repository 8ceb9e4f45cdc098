package call

// This file holds what happens to the rules. The interface is sealed: an event
// without a rule does not compile.

import "duet/signaling/protocol"

// Event is something that happened.
type Event interface{ step(m *Machine) }

type (
	// Received is a message of a user's: protocol.CallRequest or about a call.
	Received struct {
		From *User
		Msg  protocol.Request
	}
	// Gone says that a user's session has ended.
	Gone struct{ User *User }
	// Ringing says that incomingCall was written to a connection of the callee.
	Ringing struct{ CallID string }
	// RingTimeout says that nobody has answered in time.
	RingTimeout struct{ Call *Call }
	// RelayUnmet says that the party that asked for the relay has been waiting for the other long enough.
	RelayUnmet struct {
		Call *Call
		Gen  int
	}
	// RelayOpened says that the room was reserved, or not, with a reason for the client.
	RelayOpened struct {
		Call   *Call
		Gen    int
		Failed string
	}
	// RelayReady says that both legs carry media.
	RelayReady struct {
		Call *Call
		Gen  int
	}
	// RelayLost says that the room is gone, with a reason for the client.
	RelayLost struct {
		Call   *Call
		Gen    int
		Detail string
	}
	// RelayAnswered says that the relay has answered a party's offer, or could not.
	RelayAnswered struct {
		Call   *Call
		Gen    int
		To     *User
		Answer []byte // an RTCSessionDescriptionInit; nil: it could not
		Unfit  string // what is wrong with the offer, for its client; empty: nothing that it need know
	}
	// EchoTimeout says that it is time to look at a call with the echo user.
	EchoTimeout struct{ Call *Call }
	// DiagnosisTimeout says that the other end's diagnosis has been waited for long enough.
	DiagnosisTimeout struct{ Call *Call }
	// EvidenceGathered brings what the server itself knows of a call that does not connect.
	EvidenceGathered struct {
		Call     *Call
		Evidence Evidence
	}
	// Shutdown says that the server ends; calls between clients that can resume are kept.
	Shutdown struct{}
	// Restored says that a session came back from its token, which knew a call.
	// Peer is the other party: waiting to come back too, here without this call,
	// or nil when it can never come.
	Restored struct {
		User     *User
		Snapshot *Snapshot
		Peer     *User
	}
	// Returned says that the party that was waited for came, too; Snapshot is the
	// call that its token knew, or nil.
	Returned struct {
		User     *User
		Snapshot *Snapshot
	}
)

func (e Received) step(m *Machine)         { m.received(e.From, e.Msg) }
func (e Gone) step(m *Machine)             { m.gone(e.User) }
func (e Ringing) step(m *Machine)          { m.written(m.calls[e.CallID]) }
func (e RingTimeout) step(m *Machine)      { m.ringTimeout(e.Call) }
func (e RelayUnmet) step(m *Machine)       { m.relayUnmet(e) }
func (e RelayOpened) step(m *Machine)      { m.relayOpened(e) }
func (e RelayReady) step(m *Machine)       { m.relayReady(e) }
func (e RelayLost) step(m *Machine)        { m.relayLost(e) }
func (e RelayAnswered) step(m *Machine)    { m.relayAnswered(e) }
func (e EchoTimeout) step(m *Machine)      { m.echoTimeout(e.Call) }
func (e DiagnosisTimeout) step(m *Machine) { m.diagnosisTimeout(e.Call) }
func (e EvidenceGathered) step(m *Machine) { m.evidenceGathered(e) }
func (e Shutdown) step(m *Machine)         { m.shutdown() }
func (e Restored) step(m *Machine)         { m.restored(e) }
func (e Returned) step(m *Machine)         { m.returned(e) }
