package main

// The HTTP API: who may use it, and ending the sessions of a user. Credentials are in credential.go.

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"

	"duet/internal/forwarded"
)

// api is what programs may ask who show the token, http.api_token, as a bearer; credentials is nil when TURN is off.
func api(token *atomic.Pointer[string], sessions, credentials http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("DELETE "+sessionsPath, sessions)
	if credentials != nil {
		mux.Handle("POST /api/v1/turn-credentials", credentials)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Digests have one length, so the comparison tells nothing of the token, not even that.
		shown, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		got, want := sha256.Sum256([]byte(shown)), sha256.Sum256([]byte(*token.Load()))
		if !isBearer || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="duet"`)
			refuse(w, http.StatusUnauthorized, "the bearer token is not http.api_token")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// refuse answers with why not.
func refuse(w http.ResponseWriter, code int, words string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]string{"error": words})
}

// sessionsPath names the sessions of a user: an id, a name, or the sub of a join token.
const sessionsPath = "/api/v1/users/{user}/sessions"

// onlyHere refuses requests from other machines.
func onlyHere(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !forwarded.Remote(r).IsLoopback() {
			refuse(w, http.StatusForbidden, "from this machine only; elsewhere with http.api_token at the page's own address")
			return
		}
		h.ServeHTTP(w, r)
	})
}

// endSessions answers DELETE with how many have ended.
func endSessions(end func(user string) int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]int{"ended": end(r.PathValue("user"))})
	})
}
