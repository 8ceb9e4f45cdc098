package call

// This file holds what the rules want done. Effects are carried out through
// [Carrier], so that one that nobody carries out does not compile.

import (
	"time"

	"duet/signaling/protocol"
)

// Effect is something to be done, in order; [Carry] takes it to who does it.
type Effect interface{ carry(c Carrier) }

// Carry takes an effect to the method of its name.
func Carry(e Effect, c Carrier) { e.carry(c) }

// Carrier carries effects out.
type Carrier interface {
	Deliver(Deliver)
	Refuse(Refuse)
	Changed(Changed)
	StartRingTimer(StartRingTimer)
	StartDiagnosisTimer(StartDiagnosisTimer)
	StartEchoTimer(StartEchoTimer)
	StopTimer(StopTimer)
	StartRelayTimer(StartRelayTimer)
	GatherEvidence(GatherEvidence)
	Diagnosed(Diagnosed)
	Begun(Begun)
	Finished(Finished)
	NoteCandidate(NoteCandidate)
	OpenRelay(OpenRelay)
	CloseRelay(CloseRelay)
	Mute(Mute)
	Negotiate(Negotiate)
	RelayCandidate(RelayCandidate)
	MediaConnected(MediaConnected)
	MediaStats(MediaStats)
}

type (
	// Deliver sends a message to a user.
	Deliver struct {
		To  *User
		Msg protocol.Message
	}
	// Refuse answers a user's message with an error.
	Refuse struct {
		To  *User
		Why protocol.Refusal
	}
	// Changed says that a user's status or anything in its session token is new.
	Changed struct{ User *User }

	// A call has one timer: for its ringing, for a diagnosis that is waited for, or for the echo user's next look.
	StartRingTimer      struct{ Call *Call }
	StartDiagnosisTimer struct{ Call *Call }
	StartEchoTimer      struct {
		Call  *Call
		After time.Duration
	}
	StopTimer struct{ Call *Call }

	// StartRelayTimer asks for RelayUnmet after RelayWait. Nothing stops it.
	StartRelayTimer struct {
		Call *Call
		Gen  int
	}

	// GatherEvidence asks for EvidenceGathered.
	GatherEvidence struct{ Call *Call }
	// Diagnosed says that it is known, now or better, why a call does not connect.
	Diagnosed struct {
		Call     *Call
		Code     string
		AtFault  [2]bool                       // the caller, the callee
		Told     [2]*protocol.DiagnosisRequest // by them
		Evidence Evidence
	}

	// Begun and Finished frame what TURN allows and metrics count. Call is nil for
	// one that came to nothing before anything rang.
	Begun    struct{ Call *Call }
	Finished struct {
		Call    *Call
		Outcome string
	}
	// NoteCandidate says that a party signalled this address.
	NoteCandidate struct {
		Call    *Call
		By      *User
		Address string
	}

	// OpenRelay asks for RelayOpened, Negotiate for RelayAnswered.
	OpenRelay  struct{ Call *Call }
	CloseRelay struct{ Call *Call }
	Mute       struct {
		Call *Call
		By   *User
		Kind string
		On   bool
	}
	Negotiate struct {
		Call *Call
		By   *User
		SDP  string
		Init []byte // what SDP is read from, where that is empty: an offer to the echo user
	}
	RelayCandidate struct {
		Call      *Call
		By        *User
		Candidate []byte // an RTCIceCandidateInit, or null
	}

	// MediaConnected and MediaStats are what clients report.
	MediaConnected struct {
		Report protocol.MediaConnectedRequest
	}
	MediaStats struct{ Report protocol.CallStatsRequest }
)

func (e Deliver) carry(c Carrier)             { c.Deliver(e) }
func (e Refuse) carry(c Carrier)              { c.Refuse(e) }
func (e Changed) carry(c Carrier)             { c.Changed(e) }
func (e StartRingTimer) carry(c Carrier)      { c.StartRingTimer(e) }
func (e StartDiagnosisTimer) carry(c Carrier) { c.StartDiagnosisTimer(e) }
func (e StartEchoTimer) carry(c Carrier)      { c.StartEchoTimer(e) }
func (e StopTimer) carry(c Carrier)           { c.StopTimer(e) }
func (e StartRelayTimer) carry(c Carrier)     { c.StartRelayTimer(e) }
func (e GatherEvidence) carry(c Carrier)      { c.GatherEvidence(e) }
func (e Diagnosed) carry(c Carrier)           { c.Diagnosed(e) }
func (e Begun) carry(c Carrier)               { c.Begun(e) }
func (e Finished) carry(c Carrier)            { c.Finished(e) }
func (e NoteCandidate) carry(c Carrier)       { c.NoteCandidate(e) }
func (e OpenRelay) carry(c Carrier)           { c.OpenRelay(e) }
func (e CloseRelay) carry(c Carrier)          { c.CloseRelay(e) }
func (e Mute) carry(c Carrier)                { c.Mute(e) }
func (e Negotiate) carry(c Carrier)           { c.Negotiate(e) }
func (e RelayCandidate) carry(c Carrier)      { c.RelayCandidate(e) }
func (e MediaConnected) carry(c Carrier)      { c.MediaConnected(e) }
func (e MediaStats) carry(c Carrier)          { c.MediaStats(e) }
