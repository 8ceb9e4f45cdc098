package turn

// This file is the seam to the library. What is done to make it work this way lies in pion_*.go; nothing else knows it.

import (
	"net/netip"
	"time"
)

// authority keeps the allocations, permissions and channels of one gate's clients as RFC 8656 has them, and answers the
// requests that the gate lets pass. It works on a goroutine of its own, and takes the gate's next request when it has
// answered the last one.
type authority interface {
	// expire ends an allocation for another reason than its client's wish. It does not wait.
	expire(*allocation)
}

// errand is what the authority is to do with a request.
type errand uint8

const (
	answerIt         errand = iota
	demandPassword          // with a fresh nonce: 401
	demandFreshNonce        // with one: 438
)

// grant is what the authority has granted.
type grant struct {
	lifetime time.Duration // of an allocation
	token    string        // of a reserved port; empty: there is none
}

// This is what an authority asks of its gate, on its own goroutine.
var _ interface {
	next() (*request, error)                      // nil: there may be something else to do
	allocate() (*allocation, error)               // for the current request
	hold(*allocation)                             // that is its client's from now on
	abandon(*allocation)                          // that the current request needed no more
	mayReach(netip.Addr) bool                     // whether the current request's client may, at any port
	granted(grant)                                // to the current request
	rejection(code int, more ...attribute) []byte // the proper form of a refusal of the current request
	reply([]byte)                                 // to the current request
} = (*gate)(nil)
