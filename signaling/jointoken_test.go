package signaling

// Joining with JSON Web Tokens.

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"duet/signaling/join"
)

func TestJoinTokens(t *testing.T) {
	secret := strings.Repeat("s", 32)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pemFile, keysFile := filepath.Join(dir, "key.pem"), filepath.Join(dir, "keys.json")
	b64 := base64.RawURLEncoding.EncodeToString
	point, err := curve.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(map[string]any{"keys": []any{
		map[string]string{"kty": "RSA", "kid": "r", "use": "sig", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())},
		map[string]string{"kty": "EC", "kid": "e", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])},
		map[string]string{"kty": "oct", "kid": "o", "k": "c2VjcmV0"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for file, data := range map[string][]byte{pemFile: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), keysFile: set} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) { // so that the clock stands still
		soon, past := time.Now().Add(time.Hour).Unix(), time.Now().Add(-time.Hour).Unix()
		ann := jwt.MapClaims{"sub": "7", "name": "Ann", "exp": soon}
		token := func(m jwt.SigningMethod, k any, kid string, c jwt.MapClaims) string {
			tok := jwt.NewWithClaims(m, c)
			if kid != "" {
				tok.Header["kid"] = kid
			}
			s, err := tok.SignedString(k)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		hs, rs, jwks := join.Config{Mode: "hs256", Secret: secret}, join.Config{Mode: "rs256", PublicKeyFile: pemFile}, join.Config{Mode: "jwks", JWKSFile: keysFile}
		strict := hs
		strict.Issuer, strict.Audience = "me", "duet"
		publicPEM, err := os.ReadFile(pemFile)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			what  string
			cfg   join.Config
			token string
			want  string // the name, or "" for unauthorized
		}{
			{"open ignores it", join.Config{Mode: "open"}, "rubbish", "typed"},
			{"hs256", hs, token(jwt.SigningMethodHS256, []byte(secret), "", ann), "Ann"},
			{"without a name", hs, token(jwt.SigningMethodHS256, []byte(secret), "", jwt.MapClaims{"sub": "7", "exp": soon}), "typed"},
			{"no token", hs, "", ""},
			{"rubbish", hs, "rubbish", ""},
			{"another secret", hs, token(jwt.SigningMethodHS256, []byte(secret+"x"), "", ann), ""},
			{"expired", hs, token(jwt.SigningMethodHS256, []byte(secret), "", jwt.MapClaims{"sub": "7", "name": "Ann", "exp": past}), ""},
			{"without expiry", hs, token(jwt.SigningMethodHS256, []byte(secret), "", jwt.MapClaims{"sub": "7", "name": "Ann"}), ""},
			{"without subject", hs, token(jwt.SigningMethodHS256, []byte(secret), "", jwt.MapClaims{"name": "Ann", "exp": soon}), ""},
			{"unsigned", hs, token(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "", ann), ""},
			{"another hash", hs, token(jwt.SigningMethodHS512, []byte(secret), "", ann), ""},
			{"another issuer", strict, token(jwt.SigningMethodHS256, []byte(secret), "", ann), ""},
			{"issuer and audience", strict, token(jwt.SigningMethodHS256, []byte(secret), "", jwt.MapClaims{"sub": "7", "exp": soon, "iss": "me", "aud": []string{"x", "duet"}}), "typed"},
			{"rs256", rs, token(jwt.SigningMethodRS256, key, "any", ann), "Ann"},
			{"another key", rs, token(jwt.SigningMethodRS256, other, "", ann), ""},
			{"the public key as a secret", rs, token(jwt.SigningMethodHS256, publicPEM, "", ann), ""},
			{"a key of the set", jwks, token(jwt.SigningMethodRS256, key, "r", ann), "Ann"},
			{"the other key of the set", jwks, token(jwt.SigningMethodES256, curve, "e", ann), "Ann"},
			{"a key that is not in the set", jwks, token(jwt.SigningMethodRS256, key, "x", ann), ""},
			{"the wrong key of the set", jwks, token(jwt.SigningMethodRS256, key, "e", ann), ""},
		} {
			w := newWorld(t, func(cfg *Config, _ *Deps) { cfg.Join = c.cfg })
			a := w.dial()
			a.name = c.what
			a.send(msg{"type": "join", "username": "typed", "token": c.token})
			m := a.next()
			if c.want == "" && (m.typ() != "error" || m.str("code") != "unauthorized") || c.want != "" && m.str("username") != c.want {
				t.Errorf("%s: got %v, want name %q", c.what, m, c.want)
			}
			w.stop()
		}
	})
	for _, bad := range []join.Config{
		{Mode: "rs256", PublicKeyFile: filepath.Join(dir, "missing")}, {Mode: "rs256", PublicKeyFile: keysFile}, {Mode: "jwks", JWKSFile: pemFile},
		{Mode: "hs256", Secret: "short"}, {Mode: "maybe"}, {Mode: "rs256"}, {Mode: "jwks"},
	} {
		cfg := DefaultConfig()
		cfg.Join = bad
		if _, err := New(cfg, Deps{}); err == nil || !strings.HasPrefix(err.Error(), "signaling.join.") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
