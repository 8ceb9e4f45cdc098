// Package web is the page: plain ES modules, embedded as they are and served with validators, a strict content
// security policy and the other headers that a page with camera and microphone should have.
//
// The client library is in static/ and documented there; static/duet.js is its front door, and pages of all origins may load
// it from here. In Go there are only Handler and Files. It has no goroutines and no locks: the files are read, hashed and
// compressed once, and never change.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

//go:embed static
var static embed.FS

// policy forbids everything that the page does not use. There is no inline script or style, nothing comes from
// elsewhere, and no text becomes markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// headers go with every answer, also with errors.
var headers = map[string]string{
	"Content-Security-Policy":      policy,
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "camera=(self), microphone=(self), display-capture=(self), screen-wake-lock=(self), autoplay=(self), geolocation=(), payment=(), usb=()",
	"Referrer-Policy":              "no-referrer",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
}

// types holds the media types of our files, independent of what the machine's own tables say.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".png":  "image/png",

	".webmanifest": "application/manifest+json",
}

// file is one file of the page, in both forms.
type file struct {
	plain, packed []byte // packed is gzip, or nil where that is not smaller
	kind, tag     string
	shared        bool // a part of the library
}

// Handler serves the page: GET and HEAD only, "/" is index.html, unknown paths are 404. Browsers ask again each
// time and mostly hear 304, so a new version is there at once. Pages of the origins in ancestors may show it in a frame.
func Handler(ancestors ...string) http.Handler {
	files := load()
	headers := maps.Clone(headers)
	if len(ancestors) > 0 {
		headers["Content-Security-Policy"] = strings.Replace(policy, "frame-ancestors 'none'", "frame-ancestors "+strings.Join(ancestors, " "), 1)
		delete(headers, "X-Frame-Options") // which cannot name them
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for key, value := range headers {
			h.Set(key, value)
		}
		h.Set("Content-Security-Policy", strings.Replace(headers["Content-Security-Policy"], "connect-src 'self'", "connect-src 'self'"+sockets(r), 1))
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD are served here", http.StatusMethodNotAllowed)
			return
		}
		if who, is := called(r.URL); is {
			query := url.QueryEscape(who)
			if r.URL.RawQuery != "" {
				query += "&" + r.URL.RawQuery
			}
			w.Header()["Location"] = []string{"../?call=" + query} // http.Redirect would forget what is before us in the path
			w.WriteHeader(http.StatusFound)
			return
		}
		if r.URL.Path == "/qr.png" {
			serveCode(w, r)
			return
		}
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name == "" {
			name = "index.html"
		}
		f, ok := files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if f.shared { // whatever the origin: there is nothing secret in them, and the signaling looks at the origin for itself
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		}
		h.Set("Content-Type", f.kind)
		h.Set("Cache-Control", "no-cache")
		h.Set("Vary", "Accept-Encoding")
		body, tag := f.plain, f.tag
		if f.packed != nil && acceptsGzip(r.Header) {
			body, tag = f.packed, f.tag+"-gzip"
			h.Set("Content-Encoding", "gzip")
		}
		h.Set("ETag", `"`+tag+`"`)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(body))
	})
}

// hostSource is what a policy can name: no IPv6 address.
var hostSource = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]+)?$`)

// sockets names the WebSockets of the host that was asked for, which 'self' did not cover in Safari before 15.5. A proxy in
// front may speak TLS for us.
func sockets(r *http.Request) string {
	switch {
	case !hostSource.MatchString(r.Host):
		return ""
	case r.TLS != nil:
		return " wss://" + r.Host
	}
	return " wss://" + r.Host + " ws://" + r.Host
}

// File is one file of the page, by its path below the page's address.
type File struct {
	Path    string
	Content []byte
}

// Files are all of the page, for comparison with what a server gives. The first is the page itself, at "".
func Files() []File {
	files := load()
	all := []File{{"", files["index.html"].plain}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		all = append(all, File{name, files[name].plain})
	}
	return all
}

// load reads the embedded files. What is embedded is there: an error here is a broken build.
func load() map[string]file {
	files := make(map[string]file)
	err := fs.WalkDir(static, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		plain, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		kind, ok := types[path.Ext(name)]
		if !ok {
			kind = mime.TypeByExtension(path.Ext(name))
		}
		sum := sha256.Sum256(plain)
		f := file{plain: plain, kind: kind, tag: base64.RawURLEncoding.EncodeToString(sum[:12])}
		if packed := pack(plain); len(packed) < len(plain) {
			f.packed = packed
		}
		files[strings.TrimPrefix(name, "static/")] = f
		return nil
	})
	if err != nil {
		panic("web: embedded files: " + err.Error())
	}
	for _, name := range library(files) {
		f := files[name]
		f.shared = true
		files[name] = f
	}
	return files
}

// doors are the files by which the library is entered: as modules, and by a script tag.
var doors = []string{"duet.js", "media.js", "classic.js"}

var imported = regexp.MustCompile(`(?m)(?:^(?:import|export) .*from |\bimport\()"(\./[^"]+)"`)

// library lists the doors and all that they import, at once or later.
func library(files map[string]file) []string {
	names := slices.Clone(doors)
	for i := 0; i < len(names); i++ {
		for _, match := range imported.FindAllSubmatch(files[names[i]].plain, -1) {
			if name := path.Join(path.Dir(names[i]), string(match[1])); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func pack(plain []byte) []byte {
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // a known level is no error
	_, _ = w.Write(plain)                                      // nor is writing to memory
	_ = w.Close()
	return packed.Bytes()
}

// acceptsGzip reads Accept-Encoding as far as needed: gzip named, and not with weight zero.
func acceptsGzip(h http.Header) bool {
	for _, part := range strings.Split(h.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			weight = strings.ReplaceAll(weight, " ", "")
			return weight != "q=0" && !strings.HasPrefix(weight, "q=0.0")
		}
	}
	return false
}
