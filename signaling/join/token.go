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

const (
	clockSkew  = 30 * time.Second
	maxSubject = 255 // OpenID Connect Core, section 2
)

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

// Pass is what somebody may do who has shown a token; the zero value is that of a server that is open to all.
type Pass struct {
	Subject string    // who it is to whoever made the token
	Name    string    // which the user goes by, whatever the client asks for; "": as it likes
	Until   time.Time // when the session ends; zero: never
}

// Mode is how one may join, "" where everybody may; sessions of one mode mean nothing in another.
func (a *Authenticator) Mode() string {
	if a.mode == "open" {
		return ""
	}
	return a.mode
}

// Check verifies a token. It may wait for a key set to be read, so no lock may be held.
func (a *Authenticator) Check(token string) (Pass, protocol.Refusal) {
	if a.mode == "open" {
		return Pass{}, protocol.OK
	}
	if token == "" {
		return Pass{}, protocol.Unauthorized
	}
	var c claims
	_, err := a.parser.ParseWithClaims(token, &c, a.key)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return Pass{}, Expired()
	case err != nil:
		return Pass{}, protocol.Unauthorized.Because("the token is not valid")
	case len(c.Subject) > maxSubject:
		return Pass{}, protocol.Unauthorized.Because("the token's sub is too long")
	case c.Subject == "":
		return Pass{}, protocol.Unauthorized.Because("the token names nobody: it has no sub")
	}
	return Pass{c.Subject, c.Name, c.ExpiresAt.Add(clockSkew)}, protocol.OK
}

// Expired refuses whoever has a token that was good once.
func Expired() protocol.Refusal { return protocol.Unauthorized.Because("the token has expired") }

// key finds the key that a token names.
func (a *Authenticator) key(t *jwt.Token) (any, error) {
	if a.set == nil {
		return a.one, nil
	}
	id, _ := t.Header["kid"].(string)
	return a.set.find(id)
}

// RefreshKeys reads the key set of whichever is current again from time to time, until ctx ends.
func RefreshKeys(ctx context.Context, current func() *Authenticator, log *slog.Logger) {
	ticker := time.NewTicker(keysEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if a := current(); a.set != nil {
			if err := a.set.load(ctx); err != nil && ctx.Err() == nil {
				log.Error("join keys stay as they are", "err", err)
			}
		}
	}
}
