// Package relay forwards the media of calls whose two ends cannot, or shall not, reach each other.
//
// Each end makes a second peer connection, towards the relay. pion/webrtc negotiates it (SDP, ICE as the lite side, DTLS);
// package plane translates between the two legs, so that recovery, congestion control and reports run end to end. Nothing
// is mixed, decoded or stored. The outside of this package speaks in built-in types and SDP text.
//
// Types: Server owns one UDP and one TCP port and the rooms by call. room is one call: two users, their track states and
// their legs. leg is one peer connection: it answers offers and owns the tracks that the client receives. shares is what one
// user or network may take of all that.
//
// Goroutines: pion's own for each leg; one for each room while it has something to do, which answers offers and calls
// Notify; of legs that are pion's one for what the plane hands over, one for each incoming track and for the RTCP of each
// track; short ones that look for progress, refuse checks over TCP, or close a leg. All are waited for by Run.
//
// Locks, each taken before those named after it: Server.mu guards the map of rooms, room.mu the room's legs and state and
// the queue of its goroutine, leg.mu the leg's path and its end; shares.mu, recent.mu, tcpConns.mu and the plane's are
// leaves. None is held while Notify or pion is called, except leg.mu while pion is asked for the selected pair. What
// belongs to the room's goroutine, offers and what is agreed, needs none.
package relay
