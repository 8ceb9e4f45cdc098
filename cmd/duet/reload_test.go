package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"duet/turn"
)

// logs waits until the process has logged text. Its log is a pipe, so that it can be read while it is written.
func logs(t *testing.T, lines <-chan string, text string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case line := <-lines:
			if strings.Contains(line, text) {
				return
			}
		case <-deadline:
			t.Fatalf("nothing in the log says %q", text)
		}
	}
}

// lineWriter sends each line that is written to it.
type lineWriter chan string

func (w lineWriter) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		w <- line
	}
	return len(b), nil
}

// TestHangupReadsTheConfigurationAgain: a running server takes up the level, names what it cannot take up, keeps what it
// has when the file is wrong, and lives.
func TestHangupReadsTheConfigurationAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "duet.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("log:\n  level: warn\n")
	cmd := duet(t, nil, "-config", file)
	lines := make(lineWriter, 1000)
	s := startLogging(t, cmd, lines)
	hangup := func() {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hangup() // at level warn this says nothing; the next one must not be lost on it
	write("log:\n  level: debug\nturn:\n  realm: other\n")
	for said := false; !said; { // signals that come while one is handled are one
		hangup()
		select {
		case line := <-lines:
			said = strings.Contains(line, "configuration read again") && strings.Contains(line, "level=debug")
		case <-time.After(time.Second):
		}
	}
	logs(t, lines, "keys=turn.realm")
	write("log:\n  level: loud\n")
	hangup()
	logs(t, lines, `\"loud\" is not debug`)
	if res, err := http.Get(s.page + "/healthz"); err != nil || res.StatusCode != 200 {
		t.Errorf("after the signals: %v, %v", res, err)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Process.Signal(syscall.SIGHUP) // while it ends
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestLevelChangesUnderALogger(t *testing.T) {
	var out strings.Builder
	level := new(slog.LevelVar)
	log := loggerAt(level, "text", &out)
	log.Debug("before")
	level.Set(slog.LevelDebug)
	for range logBurst + 1 {
		log.Debug("after")
	}
	if got := strings.Count(out.String(), "after"); strings.Contains(out.String(), "before") || got != logBurst+1 {
		t.Errorf("%d lines, before the change as well: %v", got, strings.Contains(out.String(), "before"))
	}
}

// TestHangupRotatesSecrets: who is here stays, who comes needs what is new, and what would end calls is not taken up.
func TestHangupRotatesSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "duet.yaml")
	configure := func(join, turnSecret, previous, token, mode string) {
		t.Helper()
		text := "signaling:\n  join:\n    mode: " + mode + "\n    secret: " + join + "\n  max_connections: 4\n" +
			"turn:\n  secret: " + turnSecret + "\n  secret_previous: \"" + previous + "\"\nhttp:\n  api_token: " + token + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pad := func(s string) string { return s + strings.Repeat("-", 32) }
	enters := func(s *server, key, sub string) (*talker, string) {
		t.Helper()
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": sub, "exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte(pad(key)))
		if err != nil {
			t.Fatal(err)
		}
		k := talk(t, s.page, `{"type":"join","username":"`+sub+`","token":"`+token+`"}`)
		for {
			_, data, err := k.ws.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			if text := string(data); strings.Contains(text, `"welcome"`) || strings.Contains(text, `"unauthorized"`) {
				return k, text
			}
		}
	}
	credential := func(s *server, token string) (status int, username, password string) {
		t.Helper()
		req, err := http.NewRequest("POST", s.page+"/api/v1/turn-credentials", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+pad(token))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var got struct{ Username, Credential string }
		json.NewDecoder(res.Body).Decode(&got)
		return res.StatusCode, got.Username, got.Credential
	}
	signedBy := func(secret, username, password string) bool {
		_, want, err := turn.Credential([]byte(pad(secret)), strings.SplitN(username+":", ":", 3)[1], expiryOf(t, username))
		return err == nil && want == password
	}

	configure(pad("join1"), pad("turn1"), "", pad("api1"), "hs256")
	cmd := duet(t, nil, "-config", file)
	lines := make(lineWriter, 1000)
	s := startLogging(t, cmd, lines)
	hangup := func(says string) {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		logs(t, lines, says)
	}
	ann, got := enters(s, "join1", "ann")
	if !strings.Contains(got, `"welcome"`) {
		t.Fatal(got)
	}
	if status, user, password := credential(s, "api1"); status != 200 || !signedBy("turn1", user, password) {
		t.Errorf("before: %d %s", status, user)
	}

	configure(pad("join2"), pad("turn2"), pad("turn1"), pad("api2"), "hs256")
	hangup("configuration read again")
	if _, got := enters(s, "join1", "eve"); !strings.Contains(got, "unauthorized") {
		t.Errorf("the old key: %s", got)
	}
	if _, got := enters(s, "join2", "bob"); !strings.Contains(got, `"welcome"`) {
		t.Errorf("the new key: %s", got)
	}
	if status, _, _ := credential(s, "api1"); status != 401 {
		t.Errorf("the old API token: %d", status)
	}
	if status, user, password := credential(s, "api2"); status != 200 || !signedBy("turn2", user, password) {
		t.Errorf("after: %d %s", status, user)
	}

	configure(pad("join2"), pad("turn3"), "", pad("api2"), "hs256")
	hangup("keep that as turn.secret_previous")
	logs(t, lines, "keys=\"turn.secret turn.secret_previous\"")
	if _, user, password := credential(s, "api2"); !signedBy("turn2", user, password) {
		t.Error("a secret was changed that running calls use")
	}
	configure(pad("join2"), pad("turn2"), pad("turn1"), pad("api2"), "open")
	hangup("signaling.join.mode: sessions that are there")
	ann.say(`{"type":"ping"}`)
	ann.hears("pong")
}

// expiryOf is when a TURN REST username expires.
func expiryOf(t *testing.T, username string) time.Time {
	t.Helper()
	stamp, _, _ := strings.Cut(username, ":")
	n, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(n, 0)
}
