package join

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"duet/signaling/protocol"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func publicRSA(id string, k *rsa.PrivateKey) map[string]any {
	return map[string]any{"kty": "RSA", "kid": id, "use": "sig", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
}

func keySetOf(t *testing.T, keys ...any) []byte {
	t.Helper()
	set, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func signed(t *testing.T, kid string, k *rsa.PrivateKey) string {
	t.Helper()
	tok := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"sub": "7", "name": kid, "exp": time.Now().Add(time.Hour).Unix()})
	tok.Header["kid"] = kid
	s, err := tok.SignedString(k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestUnusableKeys: RFC 7517 section 5: a key that cannot be used is passed over; it does not spoil the set.
func TestUnusableKeys(t *testing.T) {
	good := rsaKey(t)
	small := new(big.Int).Lsh(big.NewInt(1), 1023)
	small.SetBit(small, 0, 1)
	e := b64(big.NewInt(int64(good.E)).Bytes())
	for name, other := range map[string]any{
		"an RSA key of 1024 bits": map[string]any{"kty": "RSA", "kid": "old", "n": b64(small.Bytes()), "e": e},
		"a padded modulus":        map[string]any{"kty": "RSA", "kid": "padded", "n": base64.URLEncoding.EncodeToString(append(good.N.Bytes(), 1)), "e": e},
		"a modulus that is none":  map[string]any{"kty": "RSA", "kid": "odd", "n": "***", "e": e},
		"an exponent of 0":        map[string]any{"kty": "RSA", "kid": "zero", "n": b64(good.N.Bytes()), "e": "AA"},
		"a point that is none":    map[string]any{"kty": "EC", "crv": "P-256", "kid": "ec", "x": "AA", "y": "AA"},
		"an unknown kind":         map[string]any{"kty": "XYZ", "kid": "xyz"},
		"another kind":            map[string]any{"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64(make([]byte, 32))},
		"another curve":           map[string]any{"kty": "EC", "crv": "P-521", "kid": "big", "x": "AA", "y": "AA"},
		"a kid that is no text":   map[string]any{"kty": "RSA", "kid": 7, "n": b64(good.N.Bytes()), "e": e},
		"a key of a secret":       map[string]any{"kty": "oct", "kid": "o", "k": "c2VjcmV0"},
		"the private key":         map[string]any{"kty": "RSA", "kid": "p", "n": b64(good.N.Bytes()), "e": e, "d": b64(good.D.Bytes())},
		"a key for encryption":    map[string]any{"kty": "RSA", "kid": "enc", "use": "enc", "n": b64(good.N.Bytes()), "e": e},
		"no key":                  "good",
		"nothing":                 nil,
	} {
		keys, err := parseKeys(keySetOf(t, other, publicRSA("good", good), other))
		if err != nil || len(keys) != 1 || keys["good"] == nil {
			t.Errorf("%s beside a good key: %v, %v", name, keys, err)
		}
		if _, err := parseKeys(keySetOf(t, other)); err == nil {
			t.Errorf("%s alone is a set", name)
		}
	}
}

// TestNewKey: a token of a key that is newer than the set is taken, and made-up keys do not make us ask for each.
func TestNewKey(t *testing.T) {
	one, two, three := rsaKey(t), rsaKey(t), rsaKey(t)
	file := filepath.Join(t.TempDir(), "keys.json")
	publish := func(set []byte) {
		t.Helper()
		if err := os.WriteFile(file, set, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	publish(keySetOf(t, publicRSA("one", one)))
	synctest.Test(t, func(t *testing.T) {
		a, err := NewAuthenticator(Config{Mode: "jwks", JWKSFile: file})
		if err != nil {
			t.Fatal(err)
		}
		check := func(what, kid string, k *rsa.PrivateKey, want bool) {
			t.Helper()
			pass, why := a.Check(signed(t, kid, k))
			if (why == protocol.OK) != want || want && (pass.Name != kid || pass.Subject != "7" || time.Until(pass.Until) != time.Hour+clockSkew) {
				t.Errorf("%s: %v, %+v", what, why, pass)
			}
		}
		check("a key of the set", "one", one, true)
		publish(keySetOf(t, publicRSA("one", one), publicRSA("two", two)))
		check("a new key", "two", two, true)
		check("another's key by its name", "two", three, false)
		check("a key that nobody has", "four", three, false)
		publish(keySetOf(t, publicRSA("three", three)))
		check("a newer key within the pause", "three", three, false)
		time.Sleep(keysPause)
		check("a newer key after the pause", "three", three, true)
		check("a key that was taken out", "one", one, false)
		publish([]byte("rubbish"))
		time.Sleep(keysPause)
		check("a set that cannot be read", "four", one, false)
		check("the keys stay as they are", "three", three, true)
	})
}

// TestManyAskOnce: clients who come with a new key at the same time share one fetch; so do those with made-up ones.
func TestManyAskOnce(t *testing.T) {
	one, two := rsaKey(t), rsaKey(t)
	var fetched atomic.Int32
	var set atomic.Pointer[[]byte]
	first, second := keySetOf(t, publicRSA("one", one)), keySetOf(t, publicRSA("two", two))
	set.Store(&first)
	provider := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		w.Write(*set.Load())
	}))
	defer provider.Close()
	before := http.DefaultClient
	http.DefaultClient = provider.Client()
	defer func() { http.DefaultClient = before }()
	a, err := NewAuthenticator(Config{Mode: "jwks", JWKSFile: provider.URL})
	if err != nil {
		t.Fatal(err)
	}
	set.Store(&second)
	var all sync.WaitGroup
	for i := range 20 {
		kid := []string{"two", "made up"}[i%2]
		all.Go(func() {
			if _, why := a.Check(signed(t, kid, two)); (why == protocol.OK) != (kid == "two") {
				t.Errorf("%s: %v", kid, why)
			}
		})
	}
	all.Wait()
	if n := fetched.Load(); n != 2 {
		t.Errorf("the set was read %d times, want 2", n)
	}
}

// TestRedirects: a key set that has gone to plain HTTP is not followed there.
func TestRedirects(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(keySetOf(t, publicRSA("one", rsaKey(t)))) }))
	defer plain.Close()
	provider := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer provider.Close()
	before := http.DefaultClient
	http.DefaultClient = provider.Client()
	defer func() { http.DefaultClient = before }()
	if _, err := NewAuthenticator(Config{Mode: "jwks", JWKSFile: provider.URL}); err == nil {
		t.Error("keys were taken over plain HTTP")
	}
}
