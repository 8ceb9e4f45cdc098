package turn

// This file remembers for a while whom TURN refused, so that a call that does not connect can be explained.

import (
	"slices"
	"time"

	"duet/internal/lock"
)

const (
	refusalsKept = 1024
	refusalsLast = 2 * time.Minute
)

// refusals are the last ones, of users of ours; strangers who claim to be one can push others out, and no more.
type refusals struct {
	mu   lock.Mutex[lock.Leaf] // guards what follows
	ring [refusalsKept]refusal
	next int
}

type refusal struct {
	user string // id
	code int
	at   time.Time
}

func (r *refusals) note(user string, code int, now time.Time) {
	if user == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring[r.next] = refusal{user, code, now}
	r.next = (r.next + 1) % refusalsKept
}

// of are the codes with which user was refused lately, each once.
func (r *refusals) of(user string, now time.Time) (codes []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, each := range r.ring {
		if each.user == user && now.Sub(each.at) < refusalsLast && !slices.Contains(codes, each.code) {
			codes = append(codes, each.code)
		}
	}
	return codes
}

// UserStatus tells how a user of ours fares: the transports of its allocations, each once, whether anything has come to one of
// them from a peer, and the STUN error codes of requests with credentials that were refused in the last two minutes.
func (s *Server) UserStatus(user string) (allocations []string, heard bool, refused []int) {
	refused = s.refusals.of(user, time.Now())
	for _, a := range s.quotas.ofUser(ownName(user)) {
		heard = heard || a.down.packets.Load() > 0
		if transport := a.gate.transport.protocol(); !slices.Contains(allocations, transport) {
			allocations = append(allocations, transport)
		}
	}
	slices.Sort(allocations)
	return allocations, heard, refused
}
