// Package plane translates and carries the packets of a relayed call.
//
// A relayed call has two legs, and the relay is a translator between them (RFC 3550, section 7.1): every packet that one
// end sends reaches the other with other names (SSRC, payload type, header-extension ids), and what the other end says
// about it (NACK, PLI, receiver reports, REMB, transport-wide feedback) comes back with the names the sender knows.
// Recovery and congestion control are thus the browsers' own over the whole path; nothing is stored here.
//
// Types: Leg is the immutable description of one negotiated leg. Translator is the state of one call: two legs and the
// streams between them. It works on plain packets and knows neither sockets nor keys, so the ordinary path (pion's
// tracks) and the fast one share it, and with it the rules of muting and numbering.
//
// Numbering belongs to the receiving leg: its sequence numbers go on without a gap over mutes and over changes of the
// source, and none is ever given out twice, which is what keeps AEAD nonces unique.
//
// Goroutines: none. Locks: Translator.mu guards everything in a Translator; no call out is made under it.
package plane
