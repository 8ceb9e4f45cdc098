package relay

// This file gives rooms the form in which signaling asks for them.

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// seam is a Server that answers offers by events.
type seam struct {
	*Server

	mu    sync.Mutex // a leaf
	tells map[string]func(event, user, detail string)
}

// NewSeam returns the seam of a server.
func NewSeam(s *Server) *seam {
	return &seam{Server: s, tells: map[string]func(event, user, detail string){}}
}

// Reserve opens a room; tell hears of it and of the offers.
func (s *seam) Reserve(call string, _ [2]string, _ [2]netip.Addr, tell func(event, user, detail string)) error {
	s.mu.Lock()
	s.tells[call] = tell
	s.mu.Unlock()
	return s.Open(call, func(event, detail string) { tell(event, "", detail) })
}

// Offer answers an offer by an event.
func (s *seam) Offer(call, user, sdp string) error {
	s.mu.Lock()
	tell := s.tells[call]
	s.mu.Unlock()
	if tell == nil || s.room(call) == nil {
		return ErrNoRoom
	}
	s.wg.Go(func() { // the room is open, so Run does not wait yet
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		switch answer, err := s.Answer(ctx, call, user, sdp); {
		case err != nil:
			tell("refused", user, err.Error())
		case answer == "":
			tell("superseded", user, "")
		default:
			tell("answered", user, answer)
		}
	})
	return nil
}

// Close ends a call's room.
func (s *seam) Close(call string) {
	s.mu.Lock()
	delete(s.tells, call)
	s.mu.Unlock()
	s.Server.Close(call)
}
