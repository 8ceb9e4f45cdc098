// Package join says who may come in: which pages ([Origins]), how many from each address and how fast they
// may speak ([Limits]), and with which token ([Authenticator]).
//
// [Authenticator.Run] reads a key set again every hour, on the goroutine that calls it. The locks are leaves: that of the
// Limits, that of the keys, and one that is held while a key set is fetched, so that many clients wait for one fetch.
package join
