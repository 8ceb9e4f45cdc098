package signaling

// This file says who may join: everybody, or holders of a JSON Web Token.

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"duet/signaling/protocol"
)

const (
	keysEvery  = time.Hour
	keysTime   = 10 * time.Second
	keysSize   = 1 << 20
	clockSkew  = 30 * time.Second
	minRSABits = 2048
)

// admission checks a join's token. Its key set may be replaced while it works.
type admission struct {
	open   bool
	source string // of a key set
	parser *jwt.Parser

	mu   sync.RWMutex   // a leaf
	keys map[string]any // by key id; "" is the key of a token without one
}

// joinClaims are what a token says.
type joinClaims struct {
	jwt.RegisteredClaims
	Name string `json:"name"`
}

func newAdmission(cfg JoinConfig) (*admission, error) {
	a := &admission{open: cfg.Mode == "open", keys: map[string]any{}}
	methods := []string{"RS256"}
	switch cfg.Mode {
	case "hs256":
		methods = []string{"HS256"}
		a.keys[""] = []byte(cfg.Secret)
	case "rs256":
		pem, err := os.ReadFile(cfg.PublicKeyFile)
		if err != nil {
			return nil, fmt.Errorf("signaling.join.public_key_file: %w", err)
		}
		key, err := jwt.ParseRSAPublicKeyFromPEM(pem)
		if err != nil {
			return nil, fmt.Errorf("signaling.join.public_key_file: %s: %w", cfg.PublicKeyFile, err)
		}
		a.keys[""] = key
	case "jwks":
		methods = []string{"RS256", "ES256"}
		a.source = cfg.JWKSFile
		ctx, cancel := context.WithTimeout(context.Background(), keysTime)
		defer cancel()
		if err := a.load(ctx); err != nil {
			return nil, fmt.Errorf("signaling.join.jwks: %w", err)
		}
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

// check verifies the token of a join and takes the name from it, if it has one.
func (a *admission) check(j *protocol.JoinRequest) protocol.Refusal {
	if a.open {
		return protocol.OK
	}
	if j.Token == "" {
		return protocol.Unauthorized
	}
	var c joinClaims
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
func (a *admission) key(t *jwt.Token) (any, error) {
	id, _ := t.Header["kid"].(string)
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.source == "" {
		id = "" // there is one key, whatever it is called
	}
	if key, there := a.keys[id]; there {
		return key, nil
	}
	if id == "" && len(a.keys) == 1 {
		for _, key := range a.keys {
			return key, nil
		}
	}
	return nil, errors.New("no such key")
}

// refresh reads the key set again from time to time, until ctx ends.
func (a *admission) refresh(ctx context.Context, log *slog.Logger) {
	if a.source == "" {
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
		within, cancel := context.WithTimeout(ctx, keysTime)
		if err := a.load(within); err != nil && ctx.Err() == nil {
			log.Error("join keys stay as they are", "err", err)
		}
		cancel()
	}
}

// load replaces the key set (RFC 7517).
func (a *admission) load(ctx context.Context) error {
	data, err := readKeys(ctx, a.source)
	if err != nil {
		return err
	}
	keys, err := parseKeys(data)
	if err != nil {
		return fmt.Errorf("%s: %w", a.source, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys = keys
	return nil
}

func readKeys(ctx context.Context, source string) ([]byte, error) {
	if !strings.HasPrefix(source, "https://") {
		return os.ReadFile(source)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", source, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, keysSize))
}

type jsonWebKey struct {
	Type  string `json:"kty"`
	ID    string `json:"kid"`
	Use   string `json:"use"`
	N     string `json:"n"`
	E     string `json:"e"`
	Curve string `json:"crv"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

// parseKeys reads the RSA and P-256 keys of a set, and passes others over.
func parseKeys(data []byte) (map[string]any, error) {
	var set struct {
		Keys []jsonWebKey `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, err
	}
	keys := map[string]any{}
	for _, k := range set.Keys {
		if k.Use != "" && k.Use != "sig" {
			continue
		}
		var key any
		var err error
		switch {
		case k.Type == "RSA":
			key, err = k.rsa()
		case k.Type == "EC" && k.Curve == "P-256":
			key, err = k.p256()
		default:
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", k.ID, err)
		}
		keys[k.ID] = key
	}
	if len(keys) == 0 {
		return nil, errors.New("no RSA or P-256 key for signatures in the set")
	}
	return keys, nil
}

func (k jsonWebKey) rsa() (*rsa.PublicKey, error) {
	n, err := base64.RawURLEncoding.DecodeString(k.N)
	if err != nil {
		return nil, fmt.Errorf("n: %w", err)
	}
	e, err := base64.RawURLEncoding.DecodeString(k.E)
	if err != nil {
		return nil, fmt.Errorf("e: %w", err)
	}
	exponent := new(big.Int).SetBytes(e)
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}
	if key.N.BitLen() < minRSABits || !exponent.IsInt64() || key.E < 3 || key.E > 1<<31-1 {
		return nil, errors.New("not an RSA key of at least 2048 bits")
	}
	return key, nil
}

func (k jsonWebKey) p256() (*ecdsa.PublicKey, error) {
	x, err := base64.RawURLEncoding.DecodeString(k.X)
	if err != nil {
		return nil, fmt.Errorf("x: %w", err)
	}
	y, err := base64.RawURLEncoding.DecodeString(k.Y)
	if err != nil {
		return nil, fmt.Errorf("y: %w", err)
	}
	if len(x) != 32 || len(y) != 32 {
		return nil, errors.New("not a point of P-256")
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
}
