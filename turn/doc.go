// Package turn is a STUN and TURN server (RFC 8489, RFC 8656): a library, pion/turn, behind a gate of our own.
//
// # How a message goes
//
//	transport       transport.go, stream.go, loop.go: a UDP port with its loops, or one stream of TCP or TLS
//	gate            gate.go: every message is read, judged, and answered, dropped or let pass
//	authentication  authentication.go: who has proved a password
//	allocation      allocation.go, ports.go, quota.go, reservation.go: a relayed address and its lifetime
//	permission      permission.go, policy.go, callpeers.go: which peers may be reached
//	channel         channel.go: numbers that stand for peers
//	forward         forward.go, indication.go, destination.go, relaytable.go: payloads to clients and peers
//	library         pion_*.go, behind [authority]: it keeps allocations, permissions and channels, and answers
//
// # Types
//
// [Server] owns the sockets. Every UDP socket and every stream (also one handed to [Server.ServeConn]) is a transport; it gets
// a gate and, behind it, a library server of its own. Each message is authenticated at the gate before the library sees it;
// each answer of the library passes there on its way out, and the gate learns from it what the library now holds. The library
// stays the authority: it checks integrity again and keeps allocations, permissions and channels.
//
// An allocation has no socket at first: packets for another allocation of this server are handed over in memory (relayTable),
// and a real socket is opened only when a peer outside is permitted. That the library closes it is the one sure sign that it
// is over.
//
// Each UDP socket is owned by a loop, which also reads the real sockets of its clients' allocations. ChannelData and
// Send indications are forwarded there, around the library, where they lie: from the library's answers the gate has learnt
// which permissions and channels there are. Everything else, and what waits behind it, goes to the gate (gateQueue). For
// streams the gate forwards in the same way, one packet at a time.
//
// # Goroutines
//
// One for each loop. For each gate the library's read loop, which runs all of the gate's request handling. It also ends
// allocations that are over for another reason than their client's wish, so that nothing happens in the library meanwhile.
// The library's packet handlers end at once. Streams have a writer as well. Accept loops and a housekeeper belong to
// [Server.Run].
//
// # Locks
//
// All locks are leaves, but a loop's, which is held while its sockets are closed (package udp). A packet that is forwarded takes none but its loop's
// sockets', once for each batch.
package turn
