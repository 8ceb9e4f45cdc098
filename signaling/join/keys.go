package join

// This file holds the keys of a JSON Web Key Set (RFC 7517).

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"duet/internal/lock"
)

const (
	keysEvery  = time.Hour
	keysPause  = 30 * time.Second // between two fetches for the sake of an unknown key
	keysTime   = 10 * time.Second
	keysSize   = 1 << 20
	minRSABits = 2048
)

// keySet is the keys of a file or URL. It may be replaced at any time.
type keySet struct {
	source string

	fetch lock.Mutex[lock.Room] // held while the source is read: whoever else needs it waits and finds it read
	asked time.Time             // guarded by fetch: when it was read last

	mu   lock.RWMutex[lock.Leaf]
	keys map[string]any // by key id
}

// key finds a key by its id; without one, the only one there is.
func (s *keySet) key(id string) any {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if key, there := s.keys[id]; there {
		return key
	}
	if id == "" && len(s.keys) == 1 {
		for _, key := range s.keys {
			return key
		}
	}
	return nil
}

// find is key that reads the set again when a key is not there: it may be newer than the set (OpenID Connect Core, section
// 10.1.1). Who asks has proved nothing yet, so it does that rarely.
func (s *keySet) find(id string) (any, error) {
	if key := s.key(id); key != nil {
		return key, nil
	}
	s.fetch.Lock()
	defer s.fetch.Unlock()
	if key := s.key(id); key != nil {
		return key, nil // somebody else was faster
	}
	if time.Since(s.asked) >= keysPause {
		ctx, cancel := context.WithTimeout(context.Background(), keysTime)
		defer cancel()
		if err := s.loadLocked(ctx); err != nil {
			return nil, err
		}
	}
	if key := s.key(id); key != nil {
		return key, nil
	}
	return nil, errors.New("no such key")
}

// load replaces the keys.
func (s *keySet) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keysTime)
	defer cancel()
	s.fetch.Lock()
	defer s.fetch.Unlock()
	return s.loadLocked(ctx)
}

func (s *keySet) loadLocked(ctx context.Context) error {
	s.asked = time.Now()
	data, err := readKeys(ctx, s.source)
	if err != nil {
		return err
	}
	keys, err := parseKeys(data)
	if err != nil {
		return fmt.Errorf("%s: %w", s.source, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = keys
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
	client := *http.DefaultClient
	client.CheckRedirect = func(to *http.Request, via []*http.Request) error {
		if to.URL.Scheme != "https" || len(via) >= 5 {
			return errors.New("redirected to what is not https, or too often")
		}
		return nil
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", source, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, keysSize))
}

// parseKeys reads the RSA and P-256 keys of a set. One that cannot be used is passed over, whatever is wrong with it (RFC
// 7517 section 5).
func parseKeys(data []byte) (map[string]any, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, err
	}
	keys := map[string]any{}
	for _, one := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(one) == nil && k.Valid() && (k.Use == "" || k.Use == "sig") && usable(k.Key) {
			keys[k.KeyID] = k.Key
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no RSA or P-256 key for signatures in the set")
	}
	return keys, nil
}

func usable(key any) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= minRSABits && key.E >= 3
	case *ecdsa.PublicKey:
		return key.Curve == elliptic.P256()
	}
	return false
}
