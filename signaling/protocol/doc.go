// Package protocol is the wire: PROTOCOL.md as code. Each message has a file,
// with the client's form and its decoder, the server's form and its encoder, and
// a [Row] in [Table], from which decoding, scopes, metrics and the test that
// compares the three tellings of the protocol are read.
//
// A frame is read in two steps, neither of which needs to know who sent it:
// [Parse] finds the [Header], [Header.Decode] the request. Names and ids belong
// here too, as does the reading of addresses from candidates.
//
// Everything here is a pure function of its arguments: there are no goroutines
// and no locks. conn.go says what a connection is to whoever sends by it.
package protocol
