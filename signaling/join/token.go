package join

// This file checks the token of somebody who joins.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"duet/signaling/protocol"
)

const clockSkew = 30 * time.Second

// Authenticator checks tokens as a [Config] says.
type Authenticator struct {
	mode   string
	parser *jwt.Parser
	one    any     // the key there is, whatever it is called; or
	set    *keySet // the keys by their ids
}

// claims are what a token says.
type claims struct {
	jwt.RegisteredClaims
	Name string `json:"name"`
}

// NewAuthenticator reads the keys.
func NewAuthenticator(cfg Config) (*Authenticator, error) {
	a := &Authenticator{mode: cfg.Mode}
	methods := []string{"RS256"}
	switch cfg.Mode {
	case "hs256":
		methods = []string{"HS256"}
		a.one = []byte(cfg.Secret)
	case "rs256":
		pem, err := os.ReadFile(cfg.PublicKeyFile)
		if err != nil {
			return nil, fmt.Errorf("signaling.join.public_key_file: %w", err)
		}
		if a.one, err = jwt.ParseRSAPublicKeyFromPEM(pem); err != nil {
			return nil, fmt.Errorf("signaling.join.public_key_file: %s: %w", cfg.PublicKeyFile, err)
		}
	case "jwks":
		methods = []string{"RS256", "ES256"}
		a.set = &keySet{source: cfg.JWKSFile}
		if err := a.set.load(context.Background()); err != nil {
			return nil, fmt.Errorf("signaling.join.jwks: %w", err)
		}
		a.set.asked = time.Time{} // so that the first unknown key is looked for at once
	}
	options := []jwt.ParserOption{jwt.WithValidMethods(methods), jwt.WithExpirationRequired(), jwt.WithLeeway(clockSkew)}
	if cfg.Issuer != "" {
		options = append(options, jwt.WithIssuer(cfg.Issuer))
	}
	if cfg.Audience != "" {
		options = append(options, jwt.WithAudience(cfg.Audience))
	}
	a.parser = jwt.NewParser(options...)
	return a, nil
}

// Check verifies the token of a join and takes the name from it, if it has one. It may wait for a key set to be read, so no
// lock may be held.
func (a *Authenticator) Check(j *protocol.JoinRequest) protocol.Refusal {
	if a.mode == "open" {
		return protocol.OK
	}
	if j.Token == "" {
		return protocol.Unauthorized
	}
	var c claims
	_, err := a.parser.ParseWithClaims(j.Token, &c, a.key)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return protocol.Unauthorized.Because("the token has expired")
	case err != nil:
		return protocol.Unauthorized.Because("the token is not valid")
	case c.Subject == "":
		return protocol.Unauthorized.Because("the token names nobody: it has no sub")
	}
	if c.Name != "" {
		j.Username = c.Name
	}
	return protocol.OK
}

// key finds the key that a token names.
func (a *Authenticator) key(t *jwt.Token) (any, error) {
	if a.set == nil {
		return a.one, nil
	}
	id, _ := t.Header["kid"].(string)
	return a.set.find(id)
}

// Run reads the key set again from time to time, until ctx ends.
func (a *Authenticator) Run(ctx context.Context, log *slog.Logger) {
	if a.set == nil {
		return
	}
	ticker := time.NewTicker(keysEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := a.set.load(ctx); err != nil && ctx.Err() == nil {
			log.Error("join keys stay as they are", "err", err)
		}
	}
}
