package signaling

// This file says who may connect: origin, address, number of connections.

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// addressFactor is how much looser the rate limit of an address is than that
// of a user.
const addressFactor = 100

const defaultPerIP = 1000

// origins decides which pages may connect.
type origins struct {
	allowed map[string]bool // normal form of scheme://host:port, and "*"
}

func newOrigins(list []string) origins {
	o := origins{allowed: map[string]bool{}}
	for _, entry := range list {
		if normal := normalOrigin(entry); normal != "" {
			o.allowed[normal] = true
		} else {
			o.allowed[strings.TrimSuffix(entry, "/")] = true
		}
	}
	return o
}

// allow follows RFC 6454: the page's host and port must be ours, or its origin
// on the list. Programs that are not browsers send no Origin.
func (o origins) allow(r *http.Request) bool {
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

// clientIP is the address of the client: the connection's, or what trusted
// proxies say it is. Each proxy appends the address it saw, so the list is read
// from its end for as long as it names proxies of ours.
func clientIP(r *http.Request, trusted []netip.Prefix) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.IPv4Unspecified()
	}
	ip := ap.Addr().Unmap().WithZone("")
	if len(trusted) == 0 || !contains(trusted, ip) {
		return ip
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			if ap, perr := netip.ParseAddrPort(strings.TrimSpace(hops[i])); perr == nil {
				hop, err = ap.Addr(), nil
			}
		}
		if err != nil {
			break
		}
		ip = hop.Unmap().WithZone("")
		if !contains(trusted, ip) {
			break
		}
	}
	return ip
}

func contains(list []netip.Prefix, ip netip.Addr) bool {
	for _, p := range list {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// registry counts the connections and the messages of each address.
type registry struct {
	maxAll, maxEach int
	rate            rate.Limit
	burst           int

	mu     sync.Mutex // a leaf
	all    map[*conn]struct{}
	count  int // connections, those in their handshake included
	from   map[netip.Prefix]*address
	closed bool // nobody is let in any more

	running sync.WaitGroup // readers, writers and the goroutines of calls
}

type address struct {
	conns int
	limit *rate.Limiter
	idle  time.Time // when conns became 0
}

// source is what counts as one address: in IPv6 whoever has one has 2^64.
func source(ip netip.Addr) netip.Prefix {
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// enter takes a place for a new connection and returns the budget of its
// address, or the HTTP status of a refusal.
func (g *registry) enter(ip netip.Addr) (budget *rate.Limiter, status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.count >= g.maxAll {
		return nil, http.StatusServiceUnavailable
	}
	a := g.from[source(ip)]
	if a == nil {
		a = &address{limit: rate.NewLimiter(g.rate*addressFactor, min(g.burst, 1<<24)*addressFactor)}
		g.from[source(ip)] = a
	}
	most := g.maxEach
	if most == 0 && !ip.IsLoopback() {
		most = defaultPerIP
	}
	if most > 0 && a.conns >= most {
		return nil, http.StatusTooManyRequests
	}
	a.conns++
	g.count++
	g.running.Add(1) // while closed is false: before anybody waits
	return a.limit, 0
}

// leave gives the place back. The address is remembered for a while, so that
// connecting anew does not refill its budget.
func (g *registry) leave(ip netip.Addr, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count--
	if a := g.from[source(ip)]; a != nil {
		if a.conns--; a.conns == 0 {
			a.idle = now
		}
	}
}

func (g *registry) add(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all[c] = struct{}{}
}

func (g *registry) drop(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.all, c)
}

// due returns the connections whose ping or whose new token is due, and forgets
// addresses that have been quiet for a minute.
func (g *registry) due(now time.Time, every time.Duration) (ping, renew []*conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.all {
		if !now.Before(c.pingAt) {
			c.pingAt = now.Add(every)
			ping = append(ping, c)
		}
		if at := c.renewAt.Load(); at != 0 && now.UnixNano() >= at {
			renew = append(renew, c)
		}
	}
	for p, a := range g.from {
		if a.conns == 0 && now.Sub(a.idle) > time.Minute {
			delete(g.from, p)
		}
	}
	return ping, renew
}

// everybody returns all connections, and lets no more in.
func (g *registry) everybody() []*conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	list := make([]*conn, 0, len(g.all))
	for c := range g.all {
		list = append(list, c)
	}
	return list
}

// size is the number of connections.
func (g *registry) size() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.count
}
