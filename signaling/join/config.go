package join

// This file holds what an operator may change, and its checks.

import (
	"errors"
	"fmt"
)

// Config says who may join: everybody, or holders of a JSON Web Token.
type Config struct {
	// Who may join: open (everybody, with any free name), or holders of a JSON Web Token: hs256, rs256, jwks. The token
	// carries sub and exp, 30 s after which the session ends; a claim name is the user's name, whatever the client asks
	// for. Clients send it as join.token.
	Mode string `yaml:"mode"`
	// The shared key of mode hs256, at least 32 bytes.
	Secret string `yaml:"secret" secret:"true"`
	// The PEM file with the public key of mode rs256.
	PublicKeyFile string `yaml:"public_key_file"`
	// The JSON Web Key Set of mode jwks: a file, or an https URL. It is read at start, every hour, and when a token names a
	// key that is not in it, but then at most every 30 seconds. Keys that cannot be used are passed over.
	JWKSFile string `yaml:"jwks"`
	// When set, the claim iss must equal it.
	Issuer string `yaml:"issuer"`
	// When set, the claim aud must hold it.
	Audience string `yaml:"audience"`
	// Refuses names that can be taken for one in use, as with a Cyrillic o in place of the Latin one (Unicode Technical
	// Standard 39). Off, such users are marked in the list, and when they call.
	RefuseLookalikes bool `yaml:"refuse_lookalikes"`
}

// DefaultConfig lets everybody in.
func DefaultConfig() Config { return Config{Mode: "open"} }

// Validate reports what the mode needs and is missing.
func (c Config) Validate() error {
	switch c.Mode {
	case "open":
		return nil
	case "hs256":
		if len(c.Secret) < 32 {
			return errors.New("signaling.join.secret: shorter than 32 bytes, which mode hs256 needs")
		}
	case "rs256":
		if c.PublicKeyFile == "" {
			return errors.New("signaling.join.public_key_file: empty, but mode rs256 needs it")
		}
	case "jwks":
		if c.JWKSFile == "" {
			return errors.New("signaling.join.jwks: empty, but mode jwks needs it")
		}
	default:
		return fmt.Errorf("signaling.join.mode: %q is not open, hs256, rs256 or jwks", c.Mode)
	}
	return nil
}
