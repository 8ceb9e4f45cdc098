package join

// This file says which pages may connect, and where their browsers find TURN.

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"duet/internal/forwarded"
)

// Origins decides which pages may connect.
type Origins struct {
	allowed map[string]bool // normal form of scheme://host:port, and "*"
	proxies forwarded.Proxies
}

// NewOrigins takes those that are allowed besides our own, and the proxies that
// are believed about which host is ours.
func NewOrigins(list []string, proxies forwarded.Proxies) Origins {
	o := Origins{allowed: map[string]bool{}, proxies: proxies}
	for _, entry := range list {
		if normal := normalOrigin(entry); normal != "" {
			o.allowed[normal] = true
		} else {
			o.allowed[strings.TrimSuffix(entry, "/")] = true
		}
	}
	return o
}

// Allow follows RFC 6454: the page's host and port must be those that were asked
// for, or its origin on the list. Programs that are not browsers send no Origin.
func (o Origins) Allow(r *http.Request) bool {
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		return true
	}
	if len(values) > 1 {
		return false
	}
	origin := values[0]
	normal := normalOrigin(origin)
	if normal == "" || o.allowed[normal] {
		return o.allowed[origin] || normal != ""
	}
	scheme, host, _ := strings.Cut(normal, "://")
	// Behind a proxy that ends TLS we cannot know the scheme of the page, so a
	// Host without port means the default of the origin's; and many proxies
	// leave the port out (nginx's $host), so that from them it means any.
	asked := o.proxies.Host(r)
	if _, _, err := net.SplitHostPort(asked); err != nil && o.passedOn(r) {
		name, _, _ := net.SplitHostPort(host)
		return strings.EqualFold(name, forwarded.Hostname(asked))
	}
	return host == withPort(scheme, asked)
}

// TURNHost is the host under which the client reaches this machine: the one that
// it asked for, or, where a proxy has put a name of its own network in its place,
// that of the page.
func (o Origins) TURNHost(r *http.Request) string {
	host := forwarded.Hostname(o.proxies.Host(r))
	from := forwarded.Remote(r)
	u, err := url.Parse(r.Header.Get("Origin"))
	if err == nil && u.Hostname() != "" && inward(host) && !inward(u.Hostname()) && (from.IsLoopback() || o.proxies.Contain(from)) {
		host = u.Hostname()
	}
	return strings.Clone(host) // the rest of the request goes
}

// passedOn says whether a request comes by a proxy: one that is trusted, or one on this machine that says so.
func (o Origins) passedOn(r *http.Request) bool {
	from := forwarded.Remote(r)
	return o.proxies.Contain(from) || from.IsLoopback() && r.Header.Get("X-Forwarded-For")+r.Header.Get("Forwarded") != ""
}

// inward says whether a host is a name or address that means nothing outside.
func inward(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified()
	}
	labels := strings.Split(strings.ToLower(strings.TrimSuffix(host, ".")), ".")
	switch labels[len(labels)-1] {
	case "localhost", "local", "internal":
		return true
	}
	return len(labels) == 1
}

// normalOrigin is scheme://host:port in lower case, "" for anything else.
func normalOrigin(origin string) string {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return ""
	}
	scheme := strings.ToLower(u.Scheme)
	if scheme != "http" && scheme != "https" {
		return ""
	}
	return scheme + "://" + withPort(scheme, u.Host)
}

func withPort(scheme, host string) string {
	host = strings.ToLower(host)
	if _, port, err := net.SplitHostPort(host); err == nil && port != "" {
		return host
	}
	if scheme == "https" {
		return strings.TrimSuffix(host, ":") + ":443"
	}
	return strings.TrimSuffix(host, ":") + ":80"
}
