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

	"duet/internal/netaddr"
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
	// SecretPrevious is accepted too, so that the secret can be changed without refusing what was handed out before.
	SecretPrevious string `yaml:"secret_previous" secret:"true"`
	// TLSListen is a further address for TURN over TLS alone, such as ":5349". It is seldom needed: http.tls_listen
	// carries TURN as well as HTTPS, with the same certificate. Default: empty, off.
	TLSListen string `yaml:"tls_listen"`
	// Host is the name or address in the URLs that clients are given. Set it where the page is reached through a proxy
	// that does not pass TURN on. Default: empty, the host by which the client reached the page.
	Host string `yaml:"host"`
	// PublicIP is the address under which clients and peers reach this machine; one IPv4 and one IPv6 address may be
	// given, with a comma. Set it behind a 1:1 NAT, or name a STUN server that is to be asked at start, such as
	// "stun:stun.example.org:3478". Default: empty, found by looking at the interfaces.
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
	// UnauthenticatedPerIP is how many datagrams from one address (IPv6: a /64; a /56 has 4 and a /48 16 times as many)
	// are answered each second before a password is shown. It keeps the server from being used to flood somebody else.
	// Default: 10; raise it for many clients behind one NAT.
	UnauthenticatedPerIP int `yaml:"unauthenticated_per_ip"`
	// UserAllocations is how many allocations one user may have at a time; a browser takes one for each network interface
	// and transport. Static users stand for other software, with many people behind one name, and are not bounded by this.
	// 0: no limit. Default: 64.
	UserAllocations int `yaml:"user_allocations"`
	// AllocationsPerIP is how many there may be from one address (IPv6: a /64; a /56 has 4 and a /48 16 times as many),
	// whoever asks, so that somebody with many names cannot have them all. 0: no limit. Default: 1000; raise it for more
	// callers than 500 behind one NAT.
	AllocationsPerIP int `yaml:"allocations_per_ip"`
	// TotalAllocations is how many there may be in all; one takes about 10 KiB. 0: no limit. Default: 20000.
	TotalAllocations int `yaml:"total_allocations"`
	// UserBPS is how many bytes a second are relayed for one user, both directions together. What is over is lost, as on
	// a slow line. 0: no limit. Default: 5000000, a dozen video calls. Not for static users.
	UserBPS int64 `yaml:"user_bps"`
	// UserPPS is the same in packets. 0: no limit. Default: 10000.
	UserPPS int64 `yaml:"user_pps"`
	// TotalBPS is how many bytes a second are relayed in all. 0: no limit. Default: 0.
	TotalBPS int64 `yaml:"total_bps"`
	// TotalPPS is the same in packets. Default: 0.
	TotalPPS int64 `yaml:"total_pps"`
	// Listeners is how many sockets share the UDP port, each with a loop of its own; a loop fills about one core. It
	// matters on Linux only. 0: one for every two cores. Default: 0.
	Listeners int `yaml:"listeners"`
	// IdleTimeout ends an allocation that has relayed nothing for so long; its client is told so when it next refreshes.
	// 0: never; its lifetime of ten minutes ends it when the client is gone. Default: 0.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
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
		UserAllocations:      64,
		AllocationsPerIP:     1000,
		TotalAllocations:     20_000,
		UserBPS:              5_000_000,
		UserPPS:              10_000,
	}
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	if !c.Enabled {
		return nil
	}
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf("turn."+format, args...)) }
	listen := func(key, addr string) {
		if _, port, err := net.SplitHostPort(addr); err != nil {
			add("%s: %q is not an address like :3478 or 192.0.2.1:3478", key, addr)
		} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			add("%s: %q is not a port number", key, port)
		}
	}
	listen("listen", c.Listen)
	if c.TLSListen != "" {
		listen("tls_listen", c.TLSListen)
	}
	if c.Realm == "" || len(c.Realm) > 128 || strings.ContainsAny(c.Realm, "\":") || !printable(c.Realm) {
		add("realm: %q must be 1 to 128 printable characters without quotes and colons", c.Realm)
	}
	for key, secret := range map[string]string{"secret": c.Secret, "secret_previous": c.SecretPrevious} {
		if secret != "" && len(secret) < 8 {
			add("%s: shorter than 8 characters can be guessed", key)
		}
	}
	if c.Host != "" && !validHost(c.Host) {
		add("host: %q is neither a host name nor an address", c.Host)
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
	for key, n := range map[string]int64{
		"user_allocations": int64(c.UserAllocations), "allocations_per_ip": int64(c.AllocationsPerIP), "total_allocations": int64(c.TotalAllocations),
		"user_bps": c.UserBPS, "user_pps": c.UserPPS, "total_bps": c.TotalBPS, "total_pps": c.TotalPPS,
	} {
		if n < 0 {
			add("%s: %d is less than 0, which means no limit", key, n)
		}
	}
	if c.Listeners < 0 || c.Listeners > 256 {
		add("listeners: %d is not between 0 and 256", c.Listeners)
	}
	for key, n := range map[string]int64{"user_bps": c.UserBPS, "total_bps": c.TotalBPS} {
		if n > 0 && n < 10_000 {
			add("%s: %d bytes a second carry no call; at least 10000", key, n)
		}
	}
	if c.IdleTimeout != 0 && c.IdleTimeout < time.Minute {
		add("idle_timeout: %s would end calls on hold; at least 1m", c.IdleTimeout)
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

// parseAddrs reads at most one IPv4 and one IPv6 address, with a comma between; there is none where a STUN server is named.
func parseAddrs(s string) ([]netip.Addr, error) {
	if server, err := netaddr.STUNServer(s); server != "" || err != nil {
		return nil, err
	}
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
