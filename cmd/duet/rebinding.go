package main

// DNS rebinding: a page of somebody's may let its own name point to a server in the network of whoever reads it, whose
// browser then takes that server for the page's. Over TLS the certificate does not fit; over plain HTTP only the name
// that was asked for tells.

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"

	"duet/configs"
	"duet/internal/forwarded"
)

// ourNames are the host names by which the configuration says that we are reached.
func ourNames(cfg configs.Config) []string {
	names := []string{cfg.HTTP.ACMEDomain, cfg.TURN.Host}
	for _, origin := range cfg.HTTP.AllowedOrigins {
		_, host, _ := strings.Cut(origin, "://")
		names = append(names, forwarded.Hostname(strings.TrimSuffix(host, "/")))
	}
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	return names
}

// notRebound refuses what pages under a name that is not known to be ours ask on the plain port. The page itself is
// everybody's, so only what it talks to is kept. Clients from public addresses could ask without anybody's browser, and
// proxies that are believed pass on what they are configured for.
func notRebound(h http.Handler, names []string, proxies forwarded.Proxies, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		talks := r.URL.Path == "/ws" || strings.HasPrefix(r.URL.Path, "/socket.io/") || strings.HasPrefix(r.URL.Path, "/api/")
		if host := forwarded.Hostname(r.Host); talks && neighbour(r) && !proxied(r, proxies) && !unclaimable(host) &&
			!slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, strings.TrimSuffix(host, ".")) }) {
			log.Warn("a name that is not known as ours: name its origin in http.allowed_origins, use TLS, or name the proxy in signaling.trusted_proxies",
				"host", host[:min(len(host), 200)], "remote", r.RemoteAddr)
			http.Error(w, "this name is not known as this server's: use its address", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// proxied says whether a request comes by a proxy: one that is trusted, or one on this machine, for whose WebSockets no
// page can make up a header.
func proxied(r *http.Request, proxies forwarded.Proxies) bool {
	from := forwarded.Remote(r)
	says := r.Header.Get("X-Forwarded-For")+r.Header.Get("Forwarded") != "" && r.Header.Get("Upgrade") != ""
	return proxies.Contain(from) || from.IsLoopback() && says
}

// carriers is the network within carriers' own, RFC 6598.
var carriers = netip.MustParsePrefix("100.64.0.0/10")

// neighbour says whether a request comes from a network from which more can be reached than from everywhere: a private
// one, or the one with public addresses (RFC 6177 gives it at most a /48) in which this machine is.
func neighbour(r *http.Request) bool {
	ip := forwarded.Remote(r)
	if ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || carriers.Contains(ip) {
		return true
	}
	at, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if at == nil || ip.Is4() {
		return false
	}
	site, err := ip.Prefix(48)
	return err == nil && site.Contains(at.AddrPort().Addr())
}

// unclaimable says whether nobody can have this host point where they like: an address, a name without a dot, or one
// below a domain that the public DNS does not have.
func unclaimable(host string) bool {
	if net.ParseIP(host) != nil {
		return true
	}
	labels := strings.Split(strings.ToLower(strings.TrimSuffix(host, ".")), ".")
	switch labels[len(labels)-1] {
	case "localhost", "local", "internal", "test", "invalid", "arpa", // RFC 6761, RFC 6762, RFC 8375, ICANN
		"lan", "home", "corp", "mail", "intranet", "private": // RFC 6762, appendix G
		return true
	}
	return len(labels) == 1
}
