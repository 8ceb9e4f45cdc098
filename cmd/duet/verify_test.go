package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"duet/web"
)

// TestVerify: the page itself, one file changed, one longer, one gone, another place, and no page at all.
func TestVerify(t *testing.T) {
	page := web.Handler()
	for _, tc := range []struct {
		name string
		do   func(w http.ResponseWriter, r *http.Request) bool
		want string
		code int
	}{
		{"the same", nil, "are those of duet", 0},
		{"a script is another", func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/socket.js" {
				return false
			}
			_, _ = w.Write([]byte("export const none = 1;"))
			return true
		}, "/socket.js               is another", 1},
		{"something is appended to the first page", func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/" {
				return false
			}
			_, _ = w.Write(append(web.Files()[0].Content, "<script src=more.js></script>"...))
			return true
		}, "/                        is another", 1},
		{"a file is gone", func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/peer.js" {
				return false
			}
			http.NotFound(w, r)
			return true
		}, "/peer.js                 is not there", 1},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return true
		}, "verify that address", 1},
		{"no page", func(w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true }, "gives no page", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tc.do == nil || !tc.do(w, r) {
					page.ServeHTTP(w, r)
				}
			}))
			defer s.Close()
			var out, fault bytes.Buffer
			code := run([]string{"verify", s.URL}, nil, &out, &fault)
			if all := out.String() + fault.String(); code != tc.code || !strings.Contains(all, tc.want) {
				t.Errorf("exit code %d, want %d; want %q in:\n%s", code, tc.code, tc.want, all)
			}
		})
	}
	for _, args := range [][]string{{}, {"call.example.org"}, {"ftp://call.example.org"}, {"http://a", "http://b"}} {
		if code := run(append([]string{"verify"}, args...), nil, &bytes.Buffer{}, &bytes.Buffer{}); code != 2 {
			t.Errorf("%q: exit code %d, want 2", args, code)
		}
	}
}
