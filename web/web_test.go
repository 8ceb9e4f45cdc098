// The page as a browser gets it: every file, its headers, its validators.

package web

import (
	"compress/gzip"
	"crypto/tls"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
)

// get asks the handler; header is "Key: value" lines.
func get(h http.Handler, method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	for _, line := range header {
		key, value, _ := strings.Cut(line, ": ")
		r.Header.Set(key, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAnswers(t *testing.T) {
	h := Handler()
	for _, tt := range []struct {
		method, path string
		status       int
		kind         string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"HEAD", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/?path=relay", 200, "text/html; charset=utf-8"},
		{"GET", "/index.html", 200, "text/html; charset=utf-8"},
		{"GET", "/app.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/style.css", 200, "text/css; charset=utf-8"},
		{"GET", "/favicon.svg", 200, "image/svg+xml"},
		{"GET", "/missing.js", 404, ""},
		{"GET", "/static/app.js", 404, ""},
		{"GET", "/../web.go", 404, ""},
		{"GET", "//app.js", 404, ""},
		{"POST", "/", 405, ""},
		{"DELETE", "/app.js", 405, ""},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			got := get(h, tt.method, tt.path)
			if got.StatusCode != tt.status {
				t.Fatalf("got status %d, want %d", got.StatusCode, tt.status)
			}
			if kind := got.Header.Get("Content-Type"); tt.kind != "" && kind != tt.kind {
				t.Errorf("got type %q, want %q", kind, tt.kind)
			}
			for key, want := range headers {
				want = strings.Replace(want, "connect-src 'self'", "connect-src 'self' wss://example.com ws://example.com", 1)
				if value := got.Header.Get(key); value != want {
					t.Errorf("got %s %q, want %q", key, value, want)
				}
			}
			if tt.status == 405 && got.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("got Allow %q", got.Header.Get("Allow"))
			}
		})
	}
}

// Old Safaris need the page's WebSocket by name; nothing that a policy cannot name gets into it.
func TestPolicyNamesTheSocket(t *testing.T) {
	for _, tt := range []struct {
		host string
		tls  bool
		want string
	}{
		{"call.example.org", true, "connect-src 'self' wss://call.example.org;"},
		{"call.example.org:8443", false, "connect-src 'self' wss://call.example.org:8443 ws://call.example.org:8443;"},
		{"[2001:db8::1]:8080", false, "connect-src 'self';"},
		{"a b; script-src *", false, "connect-src 'self';"},
		{"", false, "connect-src 'self';"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = tt.host
		if tt.tls {
			r.TLS = &tls.ConnectionState{}
		}
		w := httptest.NewRecorder()
		Handler().ServeHTTP(w, r)
		if got := w.Result().Header.Get("Content-Security-Policy"); !strings.Contains(got, tt.want) {
			t.Errorf("%q: got %s, want %s", tt.host, got, tt.want)
		}
	}
}

func TestValidators(t *testing.T) {
	h := Handler()
	plain, packed := get(h, "GET", "/app.js"), get(h, "GET", "/app.js", "Accept-Encoding: br, gzip;q=0.8")
	for _, r := range []*http.Response{plain, packed} {
		if cache := r.Header.Get("Cache-Control"); cache != "no-cache" {
			t.Errorf("got Cache-Control %q, want no-cache", cache)
		}
	}
	if plain.Header.Get("ETag") == packed.Header.Get("ETag") {
		t.Error("two encodings share one strong validator")
	}
	if encoding := packed.Header.Get("Content-Encoding"); encoding != "gzip" {
		t.Fatalf("got encoding %q, want gzip", encoding)
	}
	unzip, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := body(t, unzip), body(t, plain.Body); got != want {
		t.Errorf("packed differs from plain: %d bytes, want %d", len(got), len(want))
	}
	again := get(h, "GET", "/app.js", "If-None-Match: "+plain.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("got status %d for a fresh copy, want 304", again.StatusCode)
	}
	if stale := get(h, "GET", "/app.js", `If-None-Match: "other"`); stale.StatusCode != http.StatusOK {
		t.Errorf("got status %d for a stale copy, want 200", stale.StatusCode)
	}
}

func TestAcceptsGzip(t *testing.T) {
	for value, want := range map[string]bool{
		"":                     false,
		"gzip":                 true,
		"GZIP":                 true,
		"deflate, gzip, br":    true,
		"gzip;q=0":             false,
		"gzip; q=0.0":          false,
		"gzip;q=1.0, *;q=0":    true,
		"x-gzip":               false,
		"br;q=1.0, gzip;q=0.5": true,
	} {
		if got := acceptsGzip(http.Header{"Accept-Encoding": {value}}); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}

// The policy allows nothing inline and nothing from elsewhere, so the files must not try.
func TestFilesKeepToThePolicy(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:`)
	elsewhere := regexp.MustCompile(`(?i)(?:src|href|url|from|import)\s*[=(]?\s*["'(]\s*(?:[a-z]+:)?//`)
	markup := regexp.MustCompile(`\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function)\b`)
	files := load()
	for name, f := range files {
		text := string(f.plain)
		if strings.HasSuffix(name, ".html") {
			if found := inline.FindString(text); found != "" {
				t.Errorf("%s: inline: %q", name, found)
			}
		}
		if found := elsewhere.FindString(text); found != "" {
			t.Errorf("%s: from elsewhere: %q", name, found)
		}
		if found := markup.FindString(text); found != "" {
			t.Errorf("%s: text becomes markup: %q", name, found)
		}
		if strings.HasSuffix(name, ".js") && !strings.HasPrefix(text, "// "+path.Base(name)+": ") {
			t.Errorf("%s: the first comment does not say what the file is", name)
		}
	}
}

// Every module that is imported is there, and what the page begins with is fetched at once rather than one after the other.
func TestModules(t *testing.T) {
	files := load()
	page := string(files["index.html"].plain)
	static := regexp.MustCompile(`(?m)^(?:import|export) .*from "(\.[^"]+)"`)
	anyhow := regexp.MustCompile(`(?:from |\bimport\()"(\.[^"]+)"`)
	for name, f := range files {
		for _, match := range anyhow.FindAllStringSubmatch(string(f.plain), -1) {
			if imported := path.Join(path.Dir(name), match[1]); files[imported].plain == nil {
				t.Errorf("%s imports %s, which is not there", name, imported)
			}
		}
	}
	var begin func(name string)
	begins := map[string]bool{}
	begin = func(name string) {
		for _, match := range static.FindAllStringSubmatch(string(files[name].plain), -1) {
			if imported := path.Join(path.Dir(name), match[1]); !begins[imported] {
				begins[imported] = true
				begin(imported)
			}
		}
	}
	begin("app.js")
	for name := range files {
		if preloaded := strings.Contains(page, `<link rel="modulepreload" href="`+name+`">`); begins[name] != preloaded {
			t.Errorf("%s: the page begins with it: %t, index.html preloads it: %t", name, begins[name], preloaded)
		}
	}
}

// What tests and support rely on.
func TestHandles(t *testing.T) {
	files := load()
	all := string(files["index.html"].plain)
	for name, f := range files {
		if strings.HasPrefix(name, "view/") {
			all += string(f.plain)
		}
	}
	for _, id := range []string{
		"login-name", "login-submit", "source-camera", "source-virtual", "user-list", "user-row", "call",
		"incoming-dialog", "accept", "refuse", "hang-up", "toggle-audio", "toggle-video", "local-video", "remote-video",
		"path", "status",
	} {
		if !strings.Contains(all, `data-testid="`+id+`"`) && !strings.Contains(all, `dataset.testid = "`+id+`"`) {
			t.Errorf("no element with data-testid %q", id)
		}
	}
}

func TestEverythingIsServed(t *testing.T) {
	h := Handler()
	err := fs.WalkDir(static, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		want, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		if got := body(t, get(h, "GET", strings.TrimPrefix(name, "static")).Body); got != string(want) {
			t.Errorf("%s: got %d bytes, want %d", name, len(got), len(want))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFrames: only pages of the origins that the operator names may show the page in a frame.
func TestFrames(t *testing.T) {
	for _, tt := range []struct {
		ancestors  []string
		csp, frame string
	}{
		{nil, "frame-ancestors 'none';", "DENY"},
		{[]string{"https://app.example.org", "https://b.example:8443"}, "frame-ancestors https://app.example.org https://b.example:8443;", ""},
	} {
		w := httptest.NewRecorder()
		Handler(tt.ancestors...).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, tt.csp) || w.Header().Get("X-Frame-Options") != tt.frame {
			t.Errorf("%v: got %s, %q", tt.ancestors, got, w.Header().Get("X-Frame-Options"))
		}
	}
}

// TestLibraryIsForAllOrigins: pages elsewhere import the library from here, and nothing else of the page.
func TestLibraryIsForAllOrigins(t *testing.T) {
	h := Handler()
	shared := map[string]bool{}
	for _, name := range library(load()) {
		shared[name] = true
	}
	for _, name := range []string{"duet.js", "call.js", "peer.js", "media.js", "virtual.js", "classic.js"} {
		if !shared[name] {
			t.Errorf("%s is no part of the library", name)
		}
	}
	for name := range load() {
		got := get(h, "GET", "/"+name, "Origin: https://elsewhere.example").Header
		origin, policy := "", "same-origin"
		if shared[name] {
			origin, policy = "*", "cross-origin"
		}
		if got.Get("Access-Control-Allow-Origin") != origin || got.Get("Cross-Origin-Resource-Policy") != policy {
			t.Errorf("%s: got %q and %q, want %q and %q", name, got.Get("Access-Control-Allow-Origin"), got.Get("Cross-Origin-Resource-Policy"), origin, policy)
		}
		if shared[name] && (strings.HasPrefix(name, "view/") || name == "app.js" || name == "i18n.js") {
			t.Errorf("the library needs %s, which is the page's", name)
		}
	}
}

// A link that calls somebody leads to the page, also below a path; what it names comes through whole.
func TestCallLinks(t *testing.T) {
	for path, want := range map[string]string{
		"/call/bob":                   "../?call=bob",
		"/call/Ann%20Lee%2F%E4%B8%83": "../?call=Ann+Lee%2F%E4%B8%83",
		"/call/a+b&c=d":               "../?call=a%2Bb%26c%3Dd",
		"/call/%2F%2Felsewhere.test":  "../?call=%2F%2Felsewhere.test",
		"/call/":                      "",
		"/call/bob/more":              "",
		"/call/%0D%0ASet-Cookie:%20a": "../?call=%0D%0ASet-Cookie%3A+a",
		"/call/bob?token=a.b.c":       "../?call=bob&token=a.b.c",
		"/callers":                    "",
	} {
		w := httptest.NewRecorder()
		Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if got := w.Header().Get("Location"); got != want || (w.Code == http.StatusFound) != (want != "") {
			t.Errorf("%s: got %d to %q, want %q", path, w.Code, got, want)
		}
	}
}

func TestCode(t *testing.T) {
	for text, want := range map[string]int{"https://call.example.org/call/bob": 200, "": 400, strings.Repeat("a", maxCode): 200, strings.Repeat("a", maxCode+1): 400} {
		w := httptest.NewRecorder()
		Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/qr.png?text="+url.QueryEscape(text), nil))
		if w.Code != want || want == 200 && (w.Header().Get("Content-Type") != "image/png" || !strings.HasPrefix(w.Body.String(), "\x89PNG")) {
			t.Errorf("%d bytes: got %d %v", len(text), w.Code, w.Header())
		}
	}
}

// What a phone needs to keep the page among its programs.
func TestInstallable(t *testing.T) {
	var manifest struct {
		Name, Display string
		Start         string `json:"start_url"`
		Icons         []struct{ Src, Type string }
	}
	files := load()
	if err := json.Unmarshal(files["manifest.webmanifest"].plain, &manifest); err != nil || manifest.Name == "" || manifest.Display != "standalone" || manifest.Start != "./" {
		t.Errorf("got %+v, %v", manifest, err)
	}
	for _, icon := range manifest.Icons {
		if f := files[icon.Src]; f.plain == nil || f.kind != icon.Type {
			t.Errorf("%s: a %s of %d bytes", icon.Src, f.kind, len(f.plain))
		}
	}
	if len(manifest.Icons) < 3 || files["icon-180.png"].plain == nil {
		t.Error("icons are missing")
	}
}
