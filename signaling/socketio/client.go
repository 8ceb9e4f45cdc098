package socketio

// This file serves the client's own files, which pages load from where they connect to: those of the npm package
// socket.io-client, unchanged (client/LICENSE), compressed.

import (
	"bytes"
	"compress/gzip"
	"embed"
	"io"
	"net/http"
	"strconv"
	"strings"
)

//go:embed client
var clientFiles embed.FS

// ClientVersion is that of the files.
const ClientVersion = "4.8.4"

// ServeClient serves a file of the client by its name; the request is a GET or a HEAD.
func ServeClient(w http.ResponseWriter, r *http.Request, name string) {
	data, err := clientFiles.ReadFile("client/" + name + ".gz")
	if err != nil || strings.Contains(name, "/") {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	h.Set("ETag", `W/"`+ClientVersion+`"`)
	h.Set("Cache-Control", "no-cache")
	if strings.Contains(r.Header.Get("If-None-Match"), `"`+ClientVersion+`"`) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
	} else if plain, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
		data, _ = io.ReadAll(plain) // it is ours, and whole
	}
	h.Set("Content-Length", strconv.Itoa(len(data)))
	if r.Method != http.MethodHead {
		w.Write(data)
	}
}
