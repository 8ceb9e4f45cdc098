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
	// STUN and TURN in this process. Off, calls that need TURN use the relay.
	Enabled bool `yaml:"enabled"`
	// STUN and TURN over UDP and TCP. 3478 is the port that clients expect.
	Listen string `yaml:"listen"`
	// Names this server to TURN clients. Part of every password's hash: changing it ends issued credentials.
	Realm string `yaml:"realm"`
	// Derives time-limited credentials (TURN REST; coturn's static-auth-secret). Set it to share it with other software.
	// At least 16 characters, better 32 random ones. "" is a random one, made at first start and kept in the state file.
	Secret string `yaml:"secret" secret:"true"`
	// Accepted besides secret, so that it can be changed without refusing what was handed out before.
	SecretPrevious string `yaml:"secret_previous" secret:"true"`
	// A further port for TURN over TLS alone, such as :5349. Seldom needed: http.tls_listen carries TURN as well as
	// HTTPS, with the same certificate.
	TLSListen string `yaml:"tls_listen"`
	// The name or address in the URLs that clients are given. Set it where the page is reached through a proxy that does
	// not pass TURN on. "" is the host by which the client reached the page.
	Host string `yaml:"host"`
	// The address under which clients and peers reach this machine; one IPv4, one IPv6, or both with a comma. Set it
	// behind 1:1 NAT, or name a STUN server that is asked: stun:stun.example.org:3478. "" is found from the
	// interfaces. What is found is looked up again every 10 s: new allocations and rooms follow when it changes.
	PublicIP string `yaml:"public_ip"`
	// UDP ports for peers outside, or none: then calls are relayed between users of this server only, in memory, and no
	// port but listen has to be open.
	RelayPorts string `yaml:"relay_ports"`
	// Peers that may be reached besides public ones, as addresses or networks. Private ranges open when covered,
	// loopback and link-local only when named themselves. Needed where browsers and server share a private network.
	// Ports 443 and from 1024 up are open, as at public addresses: below are services that are not for strangers. An
	// address that is named alone is open at every port. The server's own addresses, public ones too, are closed unless
	// named alone, for a media server beside it; a channel to one is refused with 403.
	AllowPeers []string `yaml:"allow_peers"`
	// Static users with their passwords, besides the time-limited ones: {name: password}.
	Users map[string]string `yaml:"users" secret:"true"`
	// Peers that Duet's own users may reach: call (those of their current call) or public (any public address). In a call
	// these are the other party's relays, the addresses where the server has seen that party itself (its connection,
	// its allocations; the whole /64), and 8 more an hour that the party only names: two who agree reach those. Static
	// users and holders of credentials for other software always may reach public addresses.
	Permissions string `yaml:"permissions"`
	// How long issued credentials may begin something; what runs goes on.
	CredentialTTL time.Duration `yaml:"credential_ttl"`
	// Answers a second to one address (IPv6: one /64; a /56 has 4 and a /48 16 times as many) before a password is
	// shown, so that the server cannot be used to flood somebody else. Raise it for many clients behind one NAT.
	UnauthenticatedPerIP int `yaml:"unauthenticated_per_ip"`
	// Allocations that one user may have at a time; a browser takes one for each network interface and transport. One that
	// has been silent for half a minute gives way to a new one. Names of other software, which may stand for many people,
	// are not bounded by this. 0 is no limit, here and in the limits that follow.
	UserAllocations int `yaml:"user_allocations"`
	// Allocations from one address (IPv6: one /64; a /56 has 4 and a /48 16 times as many), whoever asks, so that
	// somebody with many names cannot have them all. Raise it for more callers than 500 behind one NAT.
	AllocationsPerIP int `yaml:"allocations_per_ip"`
	// TCP and TLS connections from one address (IPv6 as above), of 10000 in all; browsers need one each.
	StreamsPerIP int `yaml:"streams_per_ip"`
	// Allocations in all; one takes about 10 KiB.
	TotalAllocations int `yaml:"total_allocations"`
	// Bytes a second relayed for one user, both directions together; the default is a dozen video calls. What is over is
	// lost, as on a slow line. Time-limited names of other software have it for each allocation, static users are not
	// bounded.
	UserBytesPerSecond int64 `yaml:"user_bytes_per_second"`
	// The same in packets a second.
	UserPPS int64 `yaml:"user_pps"`
	// Bytes a second relayed in all for Duet's own users while anybody may join (signaling.join.mode open), both directions
	// together: about 150 calls. A packet counts for at least 400. One address (IPv6: one /64) may have a quarter, a /56
	// half and a /48 three quarters of it.
	OpenBytesPerSecond int64 `yaml:"open_bytes_per_second"`
	// Bytes a second relayed in all.
	TotalBytesPerSecond int64 `yaml:"total_bytes_per_second"`
	// Packets a second relayed in all.
	TotalPPS int64 `yaml:"total_pps"`
	// Sockets that share the UDP port, each with a loop that fills about one core (Linux only). 0 is one for every two
	// cores.
	Listeners int `yaml:"listeners"`
	// Ends an allocation that has relayed nothing for so long; its client is told so when it next refreshes. 0s is
	// never: its lifetime ends it when the client is gone.
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
		StreamsPerIP:         200,
		TotalAllocations:     20_000,
		UserBytesPerSecond:   5_000_000,
		UserPPS:              10_000,
		OpenBytesPerSecond:   50_000_000,
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
		if secret != "" && len(secret) < 16 {
			add("%s: shorter than 16 characters can be guessed", key)
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
		"user_allocations": int64(c.UserAllocations), "allocations_per_ip": int64(c.AllocationsPerIP), "total_allocations": int64(c.TotalAllocations), "streams_per_ip": int64(c.StreamsPerIP),
		"user_bytes_per_second": c.UserBytesPerSecond, "user_pps": c.UserPPS, "open_bytes_per_second": c.OpenBytesPerSecond, "total_bytes_per_second": c.TotalBytesPerSecond, "total_pps": c.TotalPPS,
	} {
		if n < 0 {
			add("%s: %d is less than 0, which means no limit", key, n)
		}
	}
	if c.Listeners < 0 || c.Listeners > 256 {
		add("listeners: %d is not between 0 and 256", c.Listeners)
	}
	for key, n := range map[string]int64{"user_bytes_per_second": c.UserBytesPerSecond, "open_bytes_per_second": c.OpenBytesPerSecond, "total_bytes_per_second": c.TotalBytesPerSecond} {
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
