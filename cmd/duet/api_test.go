package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
)

// TestAdminPortOpenToANetwork: what only the operator may do is not for whoever may read metrics.
func TestAdminPortOpenToANetwork(t *testing.T) {
	ended := 0
	h := adminRoutes(prometheus.NewRegistry(), endSessions(func(string) int { ended++; return 1 }))
	for from, want := range map[string]int{"10.0.0.5:4000": 403, "[2001:db8::5]:4000": 403, "127.0.0.1:4000": 200, "[::1]:4000": 200} {
		r := httptest.NewRequest("DELETE", "/api/v1/users/Ann/sessions", nil)
		r.RemoteAddr, r.Host = from, "10.0.0.1:9080"
		r.Header.Set("X-Forwarded-For", "127.0.0.1")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("from %s: %d, want %d", from, w.Code, want)
		}
	}
	if ended != 2 {
		t.Errorf("%d were ended", ended)
	}
}

// TestOperatorEndsSessions: by the admin port, or with the API's token, and by nobody else.
func TestOperatorEndsSessions(t *testing.T) {
	const token = "a token of some length"
	s := start(t, duet(t, []string{"DUET_HTTP_API_TOKEN=" + token}))
	for _, tt := range []struct {
		name, method, url, header, value string
		code                             int
		answer                           string
	}{
		{"no token", "DELETE", s.page, "", "", 401, "http.api_token"},
		{"another token", "DELETE", s.page, "Authorization", "Bearer guess", 401, "http.api_token"},
		{"a page in the operator's browser", "DELETE", s.more, "Sec-Fetch-Site", "cross-site", 403, ""},
		{"another method", "POST", s.more, "", "", 405, ""},
		{"the token", "DELETE", s.page, "Authorization", "Bearer " + token, 200, `{"ended":1}`},
		{"the admin port", "DELETE", s.more, "", "", 200, `{"ended":1}`},
		{"nobody there", "DELETE", s.more, "", "", 200, `{"ended":0}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var user *websocket.Conn
			if tt.answer != `{"ended":0}` {
				user = join(t, s.page, "Ann Lee")
			}
			req, err := http.NewRequest(tt.method, tt.url+"/api/v1/users/ann%20lee/sessions", nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.header != "" {
				req.Header.Set(tt.header, tt.value)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != tt.code || !strings.Contains(string(body), tt.answer) {
				t.Errorf("got %d %s, want %d %s", res.StatusCode, body, tt.code, tt.answer)
			}
			if user == nil {
				return
			}
			if tt.code != 200 {
				user.WriteJSON(map[string]string{"type": "ping"})
				await(t, user, "pong")
				user.WriteJSON(map[string]any{"type": "leave", "seq": 1})
			}
			for err = nil; err == nil; {
				_, _, err = user.ReadMessage()
			}
			if want := map[bool]int{true: 4004, false: 1000}[tt.code == 200]; !websocket.IsCloseError(err, want) {
				t.Errorf("the session: %v, want %d", err, want)
			}
		})
	}
}
