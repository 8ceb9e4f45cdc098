package call

// This file is what the rules know: users and their calls.

import (
	"time"

	"duet/signaling/protocol"
)

// User is somebody as the rules see them.
type User struct {
	ID, Name, Key   string // Key is the folded name
	Session         any    // whose user this is; the rules do not look at it
	looks           string // the name's skeleton
	Features        protocol.Features
	AwaitingRestore bool // made from the other party's token after a restart; nobody has come for it

	Call *Call
	Side int // of Call: 0 is the caller, 1 the callee
	last struct {
		call, peerID, peerKey string
		until                 time.Time
	}
}

// Call is two parties and what has become of their call.
type Call struct {
	ID       string
	Party    [2]*User
	Media    [2]protocol.Media
	Started  time.Time // when it was accepted
	LastPath string    // of media, as reported
	RelayGen int       // counts the rooms of the relay, so that news of an older one is ignored

	phase        Phase
	pendingMedia [2][]protocol.MediaChange // told while ringing, for the other party on acceptance
	rung         bool                      // the caller knows that it rings
	restored     bool                      // made from tokens after a restart of the server
	announced    bool                      // both were told of the acceptance by this process, not by one before a restart
	relay        relayPhase
	relayReason  string
	relayAskedBy [2]bool      // of the newest room; nobody: the server
	relayEnded   time.Time    // when the newest was left
	asked        [2]bool      // who has asked for the relay in this call
	answered     [2]bool      // whose offer the relay's room has answered
	statsAt      [2]time.Time // last callStats
	ends         [2]end       // what was seen of each, should the call not connect
	echo         *echo        // of a call with the echo user
	cause        cause        // of its not connecting, as it was told
}

// Phase is how far a call has come.
type Phase uint8

const (
	ringing Phase = iota
	accepted
	connected // somebody reported media; nothing depends on it
	ended
)

func (p Phase) String() string { return [...]string{"ringing", "accepted", "connected", "ended"}[p] }

// Phase is how far the call has come.
func (c *Call) Phase() Phase { return c.phase }

// Accepted reports whether the callee has taken the call, which may have ended since.
func (c *Call) Accepted() bool { return c.phase != ringing }

// Relayed reports whether a room of the relay is open for the call.
func (c *Call) Relayed() bool { return c.relay >= relayOpen }

type relayPhase uint8

const (
	relayOff   relayPhase = iota
	relayAsked            // by one party, of the other it is not known whether it takes part
	relayOpening
	relayOpen
	relayReady
)

// Roles are the names of the sides.
var Roles = [2]string{"caller", "callee"}

// Other is the party of a call that u is not.
func (c *Call) Other(u *User) *User { return c.Party[1-u.Side] }

// Status is what others see of a user.
func (u *User) Status() string {
	switch {
	case u.Call == nil:
		return "available"
	case u.Call.phase == ringing:
		return "ringing"
	default:
		return "busy"
	}
}

// peers reports whether target is the other party as it was told.
func (u *User) peers(target string) bool {
	if u.Call == nil {
		return false
	}
	other := u.Call.Other(u)
	return target == other.ID || target == other.Name
}

// is reports whether target means u.
func (u *User) is(target string) bool {
	return target == u.ID || target == u.Name || protocol.TargetKey(target) == u.Key
}
