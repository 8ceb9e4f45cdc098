// Package relay forwards the media of calls whose two ends cannot, or shall not, reach each other.
//
// Each end makes a second peer connection, towards the relay. pion/webrtc negotiates it (SDP, ICE as the lite side, DTLS);
// package plane translates between the two legs, so that recovery, congestion control and reports run end to end. Nothing
// is mixed, decoded or stored. The outside of this package speaks in built-in types and SDP text.
//
// Types: Server owns one UDP and one TCP port and the rooms by call. room is one call: two parties, their track states and
// their legs. leg is one peer connection: it answers offers and owns the tracks that the client receives.
//
// Goroutines: pion's own for each leg; one for each incoming track and for the RTCP of each track, which end when the
// peer connection closes; one that closes each leg. All are waited for by Run.
//
// Locks: Server.mu guards the map of rooms, room.mu the room's legs and state, leg.negotiating serialises one leg's offers.
// They are taken in the order leg.negotiating, Server.mu, room.mu, and none is held while notify or pion is called, except
// leg.negotiating, which is there for that.
package relay
