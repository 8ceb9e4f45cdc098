package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const testSecret = "a secret shared with other software"

// derived is the password of a TURN REST username, computed here from the definition.
func derived(username string) string {
	mac := hmac.New(sha1.New, []byte(testSecret))
	mac.Write([]byte(username))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestCredentialAPI(t *testing.T) {
	const token = "a token of some length"
	s := start(t, duet(t, []string{"DUET_HTTP_API_TOKEN=" + token, "DUET_TURN_SECRET=" + testSecret}))
	for _, tt := range []struct {
		name, auth, body string
		code             int
		want             string // in the answer
	}{
		{"no token", "", "", 401, "http.api_token"},
		{"another token", "Bearer guess", "", 401, "http.api_token"},
		{"the token in another scheme", "Basic " + token, "", 401, "http.api_token"},
		{"no body", "Bearer " + token, "", 200, `"ttl":28800`},
		{"a user and a time", "Bearer " + token, `{"user":"matrix","ttlSeconds":60}`, 200, `"ttl":60`},
		{"no JSON", "Bearer " + token, `user=x`, 400, "JSON"},
		{"a time that has passed", "Bearer " + token, `{"ttlSeconds":0}`, 400, "ttlSeconds"},
		{"for ever", "Bearer " + token, `{"ttlSeconds":9999999999}`, 400, "ttlSeconds"},
		{"an id of ours", "Bearer " + token, `{"user":"u_0123456789abcdefghijkl"}`, 400, "id of Duet"},
		{"too much", "Bearer " + token, `{"user":"` + strings.Repeat("x", 5000) + `"}`, 400, "JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequest("POST", s.page+"/api/v1/turn-credentials", strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if tt.auth != "" {
				req.Header.Set("Authorization", tt.auth)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			var raw json.RawMessage
			if err := json.NewDecoder(res.Body).Decode(&raw); err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != tt.code || !strings.Contains(string(raw), tt.want) {
				t.Errorf("got %d %s, want %d with %q", res.StatusCode, raw, tt.code, tt.want)
			}
			if res.StatusCode != 200 {
				return
			}
			var got struct {
				URLs                 []string
				Username, Credential string
			}
			if err := json.Unmarshal(raw, &got); err != nil {
				t.Fatal(err)
			}
			if got.Credential != derived(got.Username) {
				t.Errorf("the credential of %q does not follow from the secret", got.Username)
			}
			if all := strings.Join(got.URLs, " "); !strings.Contains(all, "turn:127.0.0.1:") {
				t.Errorf("got URLs %s", all)
			}
		})
	}
}

func TestCredentialAPIIsOffWithoutAToken(t *testing.T) {
	s := start(t, duet(t, nil))
	res, err := http.Post(s.page+"/api/v1/turn-credentials", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 404 && res.StatusCode != 405 {
		t.Errorf("got %d, want 404 or 405", res.StatusCode)
	}
}

func TestTURNCredentialCommand(t *testing.T) {
	out, err := duet(t, []string{"DUET_TURN_SECRET=" + testSecret}, "turn-credential", "-user", "synapse", "-ttl", "1h").Output()
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`^username: ((\d+):synapse)\npassword: (\S+)\n$`).FindStringSubmatch(string(out))
	if m == nil {
		t.Fatalf("got %q", out)
	}
	if m[3] != derived(m[1]) {
		t.Errorf("the password of %q does not follow from the secret", m[1])
	}
	expires, err := strconv.ParseInt(m[2], 10, 64)
	if left := time.Until(time.Unix(expires, 0)); err != nil || left < 59*time.Minute || left > time.Hour {
		t.Errorf("expires in %s, want 1h", left)
	}
}
