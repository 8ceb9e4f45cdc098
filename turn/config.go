package turn

// This file is what an operator may change.

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Config is the part of the configuration below the key turn. The field comments are its manual.
type Config struct {
	// Enabled says whether this process is a TURN server. Off, calls that need one fall back to the media relay.
	// Default: true.
	Enabled bool `yaml:"enabled"`
	// Listen is the address for STUN and TURN over UDP and TCP. Default: ":3478", the port that clients expect.
	Listen string `yaml:"listen"`
	// Realm names this server to clients and is part of every password's hash. It is sent to everybody who knocks, so
	// keep it short. Default: "duet".
	Realm string `yaml:"realm"`
	// Secret derives the passwords of time-limited credentials (TURN REST, coturn's static-auth-secret). Set it to share
	// it with other software. Default: empty, a random one is made at first start and kept in the state file.
	Secret string `yaml:"secret" secret:"true"`
	// PublicIP is the address under which clients and peers reach this machine; one IPv4 and one IPv6 address may be
	// given, with a comma. Set it behind a 1:1 NAT. Default: empty, found by looking at the interfaces.
	PublicIP string `yaml:"public_ip"`
	// RelayPorts is the range of UDP ports for peers outside, or "none": then relayed calls work between users of this
	// server only and no port but the listening one needs to be open. Default: "49152-65535".
	RelayPorts string `yaml:"relay_ports"`
	// AllowPeers lists addresses and ranges that may be reached besides public ones. Private ranges open when covered,
	// loopback and link-local ones only when named themselves (0.0.0.0/0 does not open them). Default: none.
	AllowPeers []string `yaml:"allow_peers"`
	// Users are static names and passwords, besides the time-limited ones. Default: none.
	Users map[string]string `yaml:"users" secret:"true"`
	// Permissions says which peers users of this program may reach: "call", those of their current call, or "public",
	// any public address. Others who hold credentials always get "public". Default: "call".
	Permissions string `yaml:"permissions"`
	// CredentialTTL is how long the credentials that clients get can start something new; what runs goes on. Default: 8h.
	CredentialTTL time.Duration `yaml:"credential_ttl"`
	// UnauthenticatedPerIP is how many datagrams from one address (IPv6: /64) are answered each second before a password
	// is shown. It keeps the server from being used to flood somebody else. Default: 10; raise it for many clients behind one NAT.
	UnauthenticatedPerIP int `yaml:"unauthenticated_per_ip"`
}

// DefaultConfig is what runs without a file.
func DefaultConfig() Config {
	return Config{
		Enabled:              true,
		Listen:               ":3478",
		Realm:                "duet",
		RelayPorts:           "49152-65535",
		Permissions:          "call",
		CredentialTTL:        8 * time.Hour,
		UnauthenticatedPerIP: 10,
	}
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	if !c.Enabled {
		return nil
	}
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf("turn."+format, args...)) }
	if _, port, err := net.SplitHostPort(c.Listen); err != nil {
		add("listen: %q is not an address like :3478 or 192.0.2.1:3478", c.Listen)
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		add("listen: %q is not a port number", port)
	}
	if c.Realm == "" || len(c.Realm) > 128 || strings.ContainsAny(c.Realm, "\":") || !printable(c.Realm) {
		add("realm: %q must be 1 to 128 printable characters without quotes and colons", c.Realm)
	}
	if c.Secret != "" && len(c.Secret) < 8 {
		add("secret: shorter than 8 characters can be guessed")
	}
	if _, err := parseAddrs(c.PublicIP); err != nil {
		add("public_ip: %w", err)
	}
	for _, err := range []error{second(parseAllow(c.AllowPeers)), fourth(parsePorts(c.RelayPorts))} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	for name, pass := range c.Users {
		if name == "" || len(name) > 128 || !printable(name) || strings.Contains(name, ":") {
			add("users: %q must be 1 to 128 printable characters without colons", name)
		}
		if pass == "" {
			add("users: %q has no password", name)
		}
	}
	if c.Permissions != "call" && c.Permissions != "public" {
		add(`permissions: %q is neither "call" nor "public"`, c.Permissions)
	}
	if c.CredentialTTL < time.Minute || c.CredentialTTL > 30*24*time.Hour {
		add("credential_ttl: %s is not between 1m and 720h", c.CredentialTTL)
	}
	if c.UnauthenticatedPerIP < 1 {
		add("unauthenticated_per_ip: %d would answer nobody; at least 1", c.UnauthenticatedPerIP)
	}
	return errors.Join(errs...)
}

func second[T any](_ T, err error) error               { return err }
func fourth[A, B, C any](_ A, _ B, _ C, e error) error { return e }

func printable(s string) bool {
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

// parseAddrs reads at most one IPv4 and one IPv6 address, with a comma between.
func parseAddrs(s string) ([]netip.Addr, error) {
	var out []netip.Addr
	for field := range strings.SplitSeq(s, ",") {
		if field = strings.TrimSpace(field); field == "" {
			continue
		}
		a, err := netip.ParseAddr(field)
		if err != nil {
			return nil, fmt.Errorf("%q is not an IP address", field)
		}
		a = canonical(a)
		if a.IsUnspecified() || a.IsMulticast() {
			return nil, fmt.Errorf("%s cannot be reached by anybody", a)
		}
		for _, b := range out {
			if a.Is4() == b.Is4() {
				return nil, fmt.Errorf("%s and %s are of the same family; one of each", b, a)
			}
		}
		out = append(out, a)
	}
	return out, nil
}
