// Package turn is a STUN and TURN server: pion/turn behind a front of our own.
//
// # Types
//
// [Server] owns the sockets. Every UDP socket and every stream (TCP, TLS, or one handed to [Server.ServeConn]) gets a
// front and, behind it, one library server of its own. A front is the net.PacketConn that the library reads from: each
// packet is parsed, judged and, if it is a request, authenticated there before the library sees it; each answer of the
// library passes there on its way out, and the front learns from it what the library now holds. The library stays the
// authority: it checks integrity again and keeps allocations, permissions and channels.
//
// An allocation is what the library gets when it asks for a relay socket. It is no socket at all at first: packets for
// another allocation of this server are handed over in memory (fabric), and a real socket is opened only when a peer
// outside is permitted. Its Close is the one sure sign that an allocation is over.
//
// On Linux each UDP socket is owned by a loop, which also reads the real sockets of its clients' allocations. ChannelData is
// forwarded there, around the library: from the library's answers the front has learnt which bindings there are. Elsewhere,
// and for streams, the front forwards it in the same way, one packet at a time.
//
// credentials says who may come in, policy which peers may be reached, budget how often strangers are answered.
//
// # Goroutines
//
// One for each loop. For each front: the library's read loop, which runs all of the front's request handling. It also ends
// allocations that are over for another reason than their client's wish, so that nothing happens in the library meanwhile.
// The library's packet handlers end at once. Streams have a writer as well. Accept loops and a housekeeper belong to
// [Server.Run]. Where there are no loops, each relay socket has a reader.
//
// # Locks
//
// A relay socket's lock comes before its loop's. All other locks are leaves. A packet between two bound channels takes none.
package turn
