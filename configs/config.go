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
	// Where the page, the signaling and the API are served.
	HTTP HTTP `yaml:"http"`
	// Where generated secrets (state.json, mode 0600) and certificates are kept. "" means $STATE_DIRECTORY,
	// $XDG_STATE_HOME/duet or ~/.local/state/duet. If it cannot be written, Duet runs but a restart ends sessions.
	StateDir string `yaml:"state_dir"`
	// How much is logged, and in which form.
	Log Log `yaml:"log"`
	// The rules of sessions and calls.
	Signaling signaling.Config `yaml:"signaling"`
	// The embedded STUN and TURN server.
	TURN turn.Config `yaml:"turn"`
	// Forwards media when the two browsers cannot reach each other.
	Relay relay.Config `yaml:"relay"`

	renamed []string // what Load has to say of keys under old names
}

// HTTP says where the page and the signaling are served.
type HTTP struct {
	// host:port for the page (HTTP), the signaling (WebSocket) and TURN over TCP on one port. "" switches it off.
	Listen string `yaml:"listen"`
	// host:port for the same over TLS: HTTPS, WSS and TURN over TLS. Set it to :443 together with one of the three
	// certificates below. Browsers give camera and microphone to https pages and to localhost only.
	TLSListen string `yaml:"tls_listen"`
	// With both ports on, pages and the signaling are asked for over TLS only: the plain port sends browsers to https, and
	// they are told to stay there (HSTS). It serves this machine, /healthz, TURN over TCP, and proxies of
	// signaling.trusted_proxies that say X-Forwarded-Proto: https. false serves everybody on both.
	Redirect bool `yaml:"redirect"`
	// A certificate and its key in PEM files. Changed files are taken up within a second, and nobody is dropped.
	TLSCert string `yaml:"tls_cert"`
	// The key that belongs to tls_cert.
	TLSKey string `yaml:"tls_key"`
	// Obtain and renew a certificate for this name (ACME, Let's Encrypt). The name must point to this machine and
	// tls_listen must be reachable on port 443. Using it means agreeing to Let's Encrypt's terms.
	ACMEDomain string `yaml:"acme_domain"`
	// Make a certificate at start. For development: browsers warn, and its fingerprint is printed to compare.
	SelfSigned bool `yaml:"self_signed"`
	// host:port for /metrics (Prometheus), /healthz, /debug/pprof and, from this machine, the end of a user's sessions. Keep
	// it on loopback. "" switches it off.
	AdminListen string `yaml:"admin_listen"`
	// Pages of other origins that may use the signaling, such as https://app.example.org. Ours always may. On http.listen,
	// within a private network, a name of the public DNS is ours only when it is here: any page could let its own point to us.
	AllowedOrigins []string `yaml:"allowed_origins"`
	// Pages of other origins that may show our page in a frame, such as https://app.example.org, and lead it by messages
	// (web/README.md).
	FrameAncestors []string `yaml:"frame_ancestors"`
	// Networks (CIDR) of load balancers that begin each connection with a PROXY protocol header (version 1 or 2), to
	// these ports and to TURN's over TCP and TLS. Connections from there must have one; nobody else is believed.
	ProxyProtocol []string `yaml:"proxy_protocol"`
	// Connections from those networks may come without the header too, as the health checks of many load balancers do;
	// they count as the load balancer's own.
	ProxyProtocolOptional bool `yaml:"proxy_protocol_optional"`
	// Lets other software ask for TURN credentials (POST /api/v1/turn-credentials with this bearer token), and end the
	// sessions of a user (DELETE /api/v1/users/NAME/sessions), which the admin port does without a token. "" is off.
	APIToken string `yaml:"api_token" secret:"true"`
	// How long an orderly end may take before everything is cut; at most 10s.
	DrainTimeout time.Duration `yaml:"drain_timeout"`
}

// Log says how much is logged, and in which form.
type Log struct {
	// debug, info, warn or error. Except with debug, one message is written at most ten times a second after the first
	// 200.
	Level string `yaml:"level"`
	// text, or json for a log collector.
	Format string `yaml:"format"`
}

// Default is what runs without a file.
func Default() Config {
	return Config{
		HTTP: HTTP{
			Listen:       ":8080",
			Redirect:     true,
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
		if !isOrigin(origin) {
			fault("http.allowed_origins: %q is not an origin such as https://example.org", origin)
		}
	}
	for _, origin := range h.FrameAncestors {
		if !isOrigin(origin) || strings.HasSuffix(origin, "/") || strings.ContainsAny(origin, " ;,'\"") { // they become part of a policy
			fault("http.frame_ancestors: %q is not an origin such as https://example.org", origin)
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

func isOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.User == nil
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
