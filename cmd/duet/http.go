package main

// Routes, time limits and the servers that answer them.

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"duet/internal/forwarded"
	"duet/internal/metrics"
)

// publicRoutes is what everybody may reach; socketIO and api are nil when they are off.
func publicRoutes(ws, socketIO, page, api http.Handler) http.Handler {
	mux := http.NewServeMux()
	if socketIO != nil {
		mux.Handle("/socket.io/", socketIO)
	}
	if api != nil {
		mux.Handle("/api/", api)
	}
	mux.Handle("/ws", ws)
	mux.Handle("/", page)
	mux.HandleFunc("GET /healthz", healthy)
	return mux
}

// toHTTPS sends browsers that come to the plain port to the one with TLS, and refuses what had better not been sent in
// clear. It serves this machine, proxies that have ended TLS, and whoever asks for the server's health.
func toHTTPS(h http.Handler, tlsPort int, proxies forwarded.Proxies) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if proxies.Secure(r) || forwarded.Remote(r).IsLoopback() || r.URL.Path == "/healthz" {
			h.ServeHTTP(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "use https: what is sent here can be read on the way", http.StatusForbidden)
			return
		}
		host := forwarded.Hostname(proxies.Host(r))
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		if tlsPort != 443 {
			host += ":" + strconv.Itoa(tlsPort)
		}
		// Not for ever: an operator may switch TLS off again.
		http.Redirect(w, r, "https://"+host+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	})
}

// onlyHTTPS tells browsers to come over TLS the next time (RFC 6797). They do not listen where they do not trust the
// certificate.
func onlyHTTPS(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		h.ServeHTTP(w, r)
	})
}

// adminRoutes is what the operator alone may reach: it listens on loopback.
func adminRoutes(registry *prometheus.Registry, sessions http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("DELETE "+sessionsPath, onlyHere(sessions)) // metrics may be open to a network, this must not be
	mux.Handle("GET /metrics", metrics.Handler(registry))
	mux.HandleFunc("GET /healthz", healthy)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	return notForPages(mux)
}

// notForPages keeps pages that a browser on this machine shows from using its loopback: neither as another site, nor
// as a name of their own that they let point to it.
func notForPages(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := forwarded.Hostname(r.Host)
		at, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		named := host != "localhost" && net.ParseIP(host) == nil
		if site := r.Header.Get("Sec-Fetch-Site"); at != nil && at.IP.IsLoopback() && named || site == "cross-site" || site == "same-site" {
			http.Error(w, "not for other sites: use the address itself", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "ok\n")
}

// httpServer answers on any number of listeners. Reading a request and an idle
// connection are bounded; a WebSocket leaves these limits behind and keeps its own.
func httpServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second, // a profile takes 30 s
		// Longer than proxies keep a connection that they may use again at any moment: AWS and nginx 60 s, Traefik 90, Caddy 120.
		IdleTimeout:    130 * time.Second,
		MaxHeaderBytes: 32 << 10,
		ConnState: func(c net.Conn, state http.ConnState) {
			p, ok := c.(*peeked)
			switch {
			case !ok:
			case state == http.StateHijacked:
				p.stream.leave() // a WebSocket: the signaling counts it
			default:
				p.stream.waits(state == http.StateIdle)
			}
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
