// Package call is the rules of calls: who may ring whom, and who may say what to
// whom when. A [Machine] holds users and their calls; an [Event] is something
// that happened, an [Effect] something to be done about it, carried out by a
// [Carrier]. Why a call does not connect is found here, too, from what both ends
// saw and what the server knows.
//
// Nothing here has a clock, a wire or a goroutine. There are no locks: the caller
// makes sure that one step follows the other.
package call
