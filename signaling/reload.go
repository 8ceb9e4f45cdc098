package signaling

// This file takes up what of a changed configuration can be taken up while
// sessions and calls go on.

import (
	"errors"

	"duet/signaling/join"
)

// errMode keeps sessions that were begun without a token out of a server that wants one.
var errMode = errors.New("signaling.join.mode: sessions that are there have joined in another way")

// Reload takes up the keys and claims of join, which are read again even where
// their files have the same names, and the bounds of connections. An error leaves
// everything as it was.
func (h *Hub) Reload(cfg Config) error {
	tokens, err := join.NewAuthenticator(cfg.Join)
	if err != nil {
		return err
	}
	if tokens.Mode() != h.tokens.Load().Mode() {
		return errMode
	}
	h.tokens.Store(tokens)
	h.limits.Set(cfg.MaxConnections, cfg.MaxConnectionsPerIP)
	return nil
}
