package signaling

// This file says what signaling asks of its neighbours, in built-in types, so
// that the neighbours fit without knowing this package.

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Deps is what a [Hub] is given. The zero value of a field that may be nil
// switches its part off.
type Deps struct {
	Log            *slog.Logger          // nil: nothing is logged
	Relay          Relay                 // nil: off
	TURN           TURN                  // nil: off
	Metrics        prometheus.Registerer // nil: none
	Key            []byte                // signs session tokens; empty: a random one, so nothing survives a restart
	AllowedOrigins []string              // origins beside our own that may connect
	ServerName     string                // told in welcome
	Version        string                // told in welcome
}

// Relay is what a call needs of a media relay. It is asked in the order in which
// the rules decide, by one goroutine at a time; all methods return at once.
type Relay interface {
	// Mode is "off", "fallback", "prefer" or "always", and how long a client tries the
	// direct path before it asks for the relay.
	Mode() (mode string, fallbackAfter time.Duration)
	// Reserve opens a room for a call of two users, who come from these addresses; when both are one, it hears and sees
	// itself. The
	// text of an error is safe to show to a client. tell hears of the room until
	// Close, from a goroutine of the relay's, in order:
	//
	//	"ready"      both legs carry media
	//	"failed"     the room is lost; detail says why, and may be shown
	//	"answered"   user's offer; detail is the answer, as SDP
	//	"unfit"      user's offer, which nobody could answer; detail says why, and may be shown to the user
	//	"refused"    user's offer, by the relay's own fault; detail is for the log. After both, what was agreed before goes on
	//	"superseded" user's offer, by a newer one before it was answered
	Reserve(call string, users [2]string, from [2]netip.Addr, tell func(event, user, detail string)) error
	// Offer negotiates a user's leg; again for an ICE restart or new tracks. Each one
	// that is taken is followed by one of the last four events, in the user's order. The text
	// of an error is safe to show.
	Offer(call, user, sdp string) error
	// Candidate takes an RTCIceCandidateInit as JSON, or "null" for the end.
	Candidate(call, party, candidateJSON string) error
	// Mute says whether a kind (audio, video, screen) that party sends is on;
	// what is off is not forwarded.
	Mute(call, party, kind string, on bool)
	// Connected says whether party's leg is connected.
	Connected(call, party string) bool
	// Announced are the addresses to which legs are told to send.
	Announced() []netip.Addr
	Close(call string)
}

// TURN hands out credentials and learns which peers a call may reach. All
// methods return at once.
type TURN interface {
	// ICEServers returns stun:, turn: and turns: URLs and a time-limited
	// credential for user; host is the name the client reached us by.
	ICEServers(user, host string) (urls []string, username, credential string, expires time.Time)
	// CallStarted lets two users reach each other's relays and candidates.
	CallStarted(call, userA, userB string)
	// Candidate notes an address that user says it has; it is called before the
	// candidate is forwarded.
	Candidate(call, user, ip string)
	// Seen notes the address that user connects from.
	Seen(call, user, ip string)
	CallEnded(call string)
	// UserStatus tells how user fares: the transports (udp, tcp, tls) of its
	// allocations, whether anything has come to one of them from a peer, and the
	// STUN error codes with which it was refused in the last two minutes.
	UserStatus(user string) (allocations []string, peerDataSeen bool, refusals []int)
	// Announced are the addresses of allocations.
	Announced() []netip.Addr
}
