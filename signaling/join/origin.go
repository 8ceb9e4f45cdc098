package join

// This file says which pages may connect.

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Origins decides which pages may connect.
type Origins struct {
	allowed map[string]bool // normal form of scheme://host:port, and "*"
}

// NewOrigins takes those that are allowed besides our own.
func NewOrigins(list []string) Origins {
	o := Origins{allowed: map[string]bool{}}
	for _, entry := range list {
		if normal := normalOrigin(entry); normal != "" {
			o.allowed[normal] = true
		} else {
			o.allowed[strings.TrimSuffix(entry, "/")] = true
		}
	}
	return o
}

// Allow follows RFC 6454: the page's host and port must be ours, or its origin
// on the list. Programs that are not browsers send no Origin.
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
	// Host without port means the default of the origin's.
	return host == withPort(scheme, r.Host)
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
