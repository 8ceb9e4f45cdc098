// Package configs puts Duet's configuration together from each package's own:
// [Config] is a value that is read once by [Load] and never changed afterwards.
// It starts no goroutine and holds no lock.
//
// A value comes from the first of these that has one: the environment
// (DUET_ and the key's path in capitals), the file, [Default].
package configs

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"duet/relay"
	"duet/signaling"
	"duet/turn"
)

// Config is everything an operator may say. duet.yaml, beside this file, is its manual.
type Config struct {
	// HTTP serves the page, the signaling and the API.
	HTTP HTTP `yaml:"http"`
	// StateDir keeps what must survive a restart: the generated secrets, in
	// state.json with mode 0600, and certificates obtained by ACME.
	// Empty means $STATE_DIRECTORY, $XDG_STATE_HOME/duet or ~/.local/state/duet.
	StateDir string `yaml:"state_dir"`
	// Log says how much is logged, and in which form.
	Log Log `yaml:"log"`
	// Signaling holds the rules of sessions and calls.
	Signaling signaling.Config `yaml:"signaling"`
	// TURN is the embedded STUN and TURN server.
	TURN turn.Config `yaml:"turn"`
	// Relay forwards media when the two browsers cannot reach each other.
	Relay relay.Config `yaml:"relay"`
}

// HTTP says where the page and the signaling are served.
type HTTP struct {
	// Listen is host:port for HTTP and WebSocket; TURN over TCP is answered there too. Empty: off.
	Listen string `yaml:"listen"`
	// TLSListen is host:port for HTTPS, WSS and TURN over TLS on one port. Empty: off.
	TLSListen string `yaml:"tls_listen"`
	// TLSCert and TLSKey are PEM files; a changed file is taken up without a restart.
	TLSCert string `yaml:"tls_cert"`
	TLSKey  string `yaml:"tls_key"`
	// ACMEDomain obtains and renews a certificate for this name (Let's Encrypt); needs TLSListen on port 443.
	ACMEDomain string `yaml:"acme_domain"`
	// SelfSigned makes a certificate at start, for development; its fingerprint is printed.
	SelfSigned bool `yaml:"self_signed"`
	// AdminListen is host:port for metrics, health and pprof; keep it on loopback. Empty: off.
	AdminListen string `yaml:"admin_listen"`
	// AllowedOrigins are origins (https://host[:port]) of other pages that may use the signaling.
	AllowedOrigins []string `yaml:"allowed_origins"`
	// ProxyProtocol lists networks (CIDR) of load balancers whose PROXY protocol header is believed, on these ports
	// and on TURN's.
	ProxyProtocol []string `yaml:"proxy_protocol"`
	// APIToken lets other software ask for TURN credentials (POST /api/v1/turn-credentials). Empty: off.
	APIToken string `yaml:"api_token" secret:"true"`
	// DrainTimeout bounds an orderly end; after it everything is cut. At most 10s.
	DrainTimeout time.Duration `yaml:"drain_timeout"`
}

// Log says how much is logged, and in which form.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `yaml:"level"`
	// Format is text or json.
	Format string `yaml:"format"`
}

// Default is what runs without a file.
func Default() Config {
	return Config{
		HTTP: HTTP{
			Listen:       ":8080",
			AdminListen:  "127.0.0.1:9080",
			DrainTimeout: 8 * time.Second,
		},
		Log:       Log{Level: "info", Format: "text"},
		Signaling: signaling.DefaultConfig(),
		TURN:      turn.DefaultConfig(),
		Relay:     relay.DefaultConfig(),
	}
}

// Validate reports every fault at once, each with the key it belongs to.
func (c Config) Validate() error {
	return errors.Join(c.HTTP.validate(), c.Log.validate(), c.Signaling.Validate(), c.TURN.Validate(), c.Relay.Validate(), c.overlap())
}

// SharedPort reports whether TURN and the relay have one address, whose UDP and TCP ports they share.
func (c Config) SharedPort() bool {
	a, b, one := c.sameNumber()
	return one && a == b
}

// overlap: with one port on some addresses and another's on others, who opens first would decide who gets what.
func (c Config) overlap() error {
	a, b, one := c.sameNumber()
	if !one || a == b || a != everywhere && b != everywhere {
		return nil
	}
	return fmt.Errorf("relay.listen: %s and turn.listen %s are partly the same; to share the port set both to the same address, else choose another port", c.Relay.Listen, c.TURN.Listen)
}

// everywhere is the host of a port on all addresses.
const everywhere = ""

// sameNumber reports whether TURN and the relay use one port number, and at which hosts.
func (c Config) sameNumber() (turnHost, relayHost string, one bool) {
	if !c.TURN.Enabled || c.Relay.Mode == "off" {
		return "", "", false
	}
	turnHost, turnPort := place(c.TURN.Listen)
	relayHost, relayPort := place(c.Relay.Listen)
	return turnHost, relayHost, turnPort == relayPort && turnPort > 0
}

// place is where a listen address is; port 0 is one that the system chooses, or none.
func place(listen string) (host string, port int) {
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if host = addr.Unmap().String(); addr.IsUnspecified() {
			host = everywhere
		}
	}
	port, _ = strconv.Atoi(text)
	return host, port
}

func (h HTTP) validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if h.Listen == "" && h.TLSListen == "" {
		fault("http.listen: empty, and so is http.tls_listen: nothing would be served")
	}
	for _, l := range []struct{ key, addr string }{
		{"http.listen", h.Listen}, {"http.tls_listen", h.TLSListen}, {"http.admin_listen", h.AdminListen},
	} {
		if err := checkListen(l.addr); err != nil {
			fault("%s: %w", l.key, err)
		}
	}
	sources := 0
	for _, given := range []bool{h.TLSCert != "" || h.TLSKey != "", h.ACMEDomain != "", h.SelfSigned} {
		if given {
			sources++
		}
	}
	switch {
	case h.TLSListen == "" && sources > 0:
		fault("http.tls_listen: empty, but a certificate is configured; set it to :443")
	case h.TLSListen != "" && sources == 0:
		fault("http.tls_listen: needs a certificate: http.tls_cert with http.tls_key, or http.acme_domain, or http.self_signed")
	case sources > 1:
		fault("http.tls_listen: choose one of http.tls_cert, http.acme_domain and http.self_signed")
	}
	if (h.TLSCert == "") != (h.TLSKey == "") {
		fault("http.tls_cert: needs http.tls_key, and the other way round")
	}
	for _, origin := range h.AllowedOrigins {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
			fault("http.allowed_origins: %q is not an origin such as https://example.org", origin)
		}
	}
	for _, prefix := range h.ProxyProtocol {
		if _, err := netip.ParsePrefix(prefix); err != nil {
			fault("http.proxy_protocol: %q is not a network such as 10.0.0.0/8", prefix)
		}
	}
	if h.APIToken != "" && len(h.APIToken) < 16 {
		fault("http.api_token: shorter than 16 characters, which can be guessed")
	}
	if h.DrainTimeout < time.Millisecond || h.DrainTimeout > 10*time.Second {
		fault("http.drain_timeout: %s is not within 1ms to 10s", h.DrainTimeout)
	}
	return errors.Join(faults...)
}

func (l Log) validate() error {
	var faults []error
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, l.Level) {
		faults = append(faults, fmt.Errorf("log.level: %q is not debug, info, warn or error", l.Level))
	}
	if l.Format != "text" && l.Format != "json" {
		faults = append(faults, fmt.Errorf("log.format: %q is not text or json", l.Format))
	}
	return errors.Join(faults...)
}

// checkListen accepts host:port with a numeric port, and nothing at all.
func checkListen(addr string) error {
	if addr == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not host:port, such as :8080 or 127.0.0.1:8080", addr)
	}
	if _, err := net.LookupPort("tcp", port); err != nil || port == "" {
		return fmt.Errorf("%q has no port from 0 to 65535", addr)
	}
	return nil
}
