// Package plane translates and carries the packets of a relayed call.
//
// A relayed call has two legs, and the relay is a translator between them (RFC 3550, section 7.1): every packet that one
// end sends reaches the other with other identifiers (SSRC, payload type, header-extension ids), and what the other end says
// about it (NACK, PLI, receiver reports, REMB, transport-wide feedback) comes back with those the sender knows.
// Recovery and congestion control are thus the browsers' own over the whole path; nothing is stored here.
//
// pion decides, the plane forwards. Signalling, ICE and DTLS are pion's, which reads and writes the same UDP port through
// the plane; the media of a leg that pion has connected over UDP is opened, renamed and sealed here, in place, a batch at a
// time. A leg that cannot be here stays pion's, and its packets change hands in plain form.
//
// Types: Leg is the immutable description of one negotiated leg. Translator is the state of one call; it works on plain
// packets and knows neither sockets nor keys, so both ways of carrying a leg share it. Call is a Translator between two
// Ports. Port is one leg's place: its state, its keys, the addresses that ICE confirmed for it. Keys collects from the hooks
// of one DTLS handshake what the SRTP keys are made of. Plane is the UDP port and the loop on it.
//
// AEAD nonces are never used twice, because: numbering belongs to the receiving leg, goes on over mutes and sources, and
// gives no number out twice; duplicates do not pass the replay window of the leg they come from; pion, which holds the same
// keys, cannot write media to an address of a leg that is not its own; a leg is decided once, before media, and keys can be
// derived once; reports, too, are sealed only here.
//
// Goroutines: Plane.Run is the loop, and the only reader; one for each Port that is pion's, which gives pion what the loop
// queued.
//
// Locks, all of the level Leaf, so that nobody takes one while holding another (builds with -race check it): Translator.mu
// guards a call's streams, Port.mu the sealing of one leg's packets, Plane.mu whose an address is, Keys.mu what the hooks
// said. What opens a leg's packets belongs to the loop alone, and so does what a worker keeps.
package plane
