package web

// This file is what the page cannot do by itself for those who invite others: links of one's own, and codes of them.

import (
	"net/http"
	"net/url"
	"strings"

	"rsc.io/qr"
)

// maxCode bounds what is made a code of, in bytes: a link, and what can still be read from a screen.
const maxCode = 300

// called says whom a link of the form /call/<name> calls.
func called(u *url.URL) (who string, is bool) {
	rest, is := strings.CutPrefix(u.EscapedPath(), "/call/")
	if !is || rest == "" || strings.Contains(rest, "/") {
		return "", false
	}
	who, err := url.PathUnescape(rest)
	return who, err == nil
}

// serveCode answers with the QR code of a text.
func serveCode(w http.ResponseWriter, r *http.Request) {
	text := r.URL.Query().Get("text")
	if text == "" || len(text) > maxCode {
		http.Error(w, "text must have 1 to 300 bytes", http.StatusBadRequest)
		return
	}
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		http.Error(w, "this text fits in no code", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", types[".png"])
	w.Header().Set("Cache-Control", "private, max-age=3600")
	_, _ = w.Write(code.PNG()) // who is gone needs none
}
