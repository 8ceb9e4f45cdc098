package main

// TURN credentials for other software: over HTTP, for programs that hold the
// API token, and on the command line.

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"time"

	"duet/configs"
	"duet/internal/forwarded"
	"duet/turn"
)

// maxCredentialTTL bounds what may be asked for: a leaked credential must end some day.
const maxCredentialTTL = 30 * 24 * time.Hour

// turnSecret is what signs credentials: the configured secret, else the generated one.
func turnSecret(cfg configs.Config, s state) []byte {
	if cfg.TURN.Secret != "" {
		return []byte(cfg.TURN.Secret)
	}
	return s.TURNSecret
}

// credentialAPI answers POST /api/v1/turn-credentials: {"user": "…", "ttlSeconds": 3600}, both optional, with an
// RTCIceServer and its expiry.
type credentialAPI struct {
	cfg     configs.Config
	proxies forwarded.Proxies
	issue   func(user string, expires time.Time) (username, password string, err error)
	urls    func(user, host string) (urls []string, username, credential string, expires time.Time)
}

func (a credentialAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		User       string `json:"user"`
		TTLSeconds *int64 `json:"ttlSeconds"`
	}
	body := http.MaxBytesReader(w, r.Body, 4<<10)
	if err := json.NewDecoder(body).Decode(&ask); err != nil && !errors.Is(err, io.EOF) {
		refuse(w, http.StatusBadRequest, "the body is not JSON such as {\"user\": \"name\", \"ttlSeconds\": 3600}")
		return
	}
	ttl := a.cfg.TURN.CredentialTTL
	if ask.TTLSeconds != nil {
		if *ask.TTLSeconds < 1 || *ask.TTLSeconds > int64(maxCredentialTTL/time.Second) {
			refuse(w, http.StatusBadRequest, fmt.Sprintf("ttlSeconds is not within 1 to %d", int64(maxCredentialTTL/time.Second)))
			return
		}
		ttl = time.Duration(*ask.TTLSeconds) * time.Second
	}
	expires := time.Now().Add(ttl)
	username, password, err := a.issue(ask.User, expires)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	urls, _, _, _ := a.urls(ask.User, forwarded.Hostname(a.proxies.Host(r)))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(map[string]any{
		"urls": urls, "username": username, "credential": password, "ttl": int64(ttl / time.Second), "expiresAt": expires.Unix() * 1000,
	})
}

func turnCredentialCommand(args, environ []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("turn-credential", flag.ContinueOnError)
	user := flags.String("user", "", "")
	ttl := flags.Duration("ttl", 8*time.Hour, "")
	cfg, err := load(flags, args, environ)
	if err != nil {
		return err
	}
	if *ttl < time.Second || *ttl > maxCredentialTTL {
		return usageError(fmt.Sprintf("-ttl %s is not within 1s to %s", *ttl, maxCredentialTTL))
	}
	var secrets state
	if cfg.TURN.Secret == "" {
		if secrets, err = loadState(stateDir(cfg.StateDir, environ), newLogger(cfg.Log, stderr)); err != nil {
			return err
		}
	}
	username, password, err := turn.Credential(turnSecret(cfg, secrets), *user, time.Now().Add(*ttl))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "username: %s\npassword: %s\n", username, password)
	return err
}
