package relay

// What an operator may change about the relay.

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

// Modes of the relay.
const (
	Off      = "off"      // never
	Fallback = "fallback" // when the two ends cannot reach each other
	Prefer   = "prefer"   // the same, but before TURN
	Always   = "always"   // for every call
)

// Config is what an operator may change.
type Config struct {
	// fallback: media goes through the relay when the browsers cannot reach each other. prefer: the same, and before
	// TURN, which is left for calls that the relay cannot serve; a lower fallback_after goes well with it. always: every
	// call, and nothing else: no client learns another's address, and those that do not know the relay cannot call or be
	// called. off: never.
	Mode string `yaml:"mode"`
	// host:port of the one UDP and the one TCP port that carry all relayed media. The same as turn.listen shares TURN's
	// (Linux only): one port less to open, and relayed calls over TCP are taken on http.tls_listen as well.
	Listen string `yaml:"listen"`
	// Addresses that clients are told to send media to, with commas between. Set it behind 1:1 NAT, or name a STUN
	// server that is asked. "" is turn.public_ip, or what the interfaces have.
	PublicIP string `yaml:"public_ip"`
	// How long browsers try to reach each other before they ask for the relay: 1s to 1m. Lower connects faster behind
	// strict firewalls, higher saves the server's traffic.
	FallbackAfter time.Duration `yaml:"fallback_after"`
	// Calls relayed at a time, three quarters of them of one network (an IPv4 address, an IPv6 /64). Further ones take the
	// place of one to which nobody has connected for 5 s, else they are told that the relay is full.
	MaxCalls int `yaml:"max_calls"`
	// TCP connections from one address (IPv6: one /64; a /56 has 4 and a /48 16 times as many), of 4096 in all; a browser
	// needs one, where no UDP passes. 0 is no limit.
	StreamsPerIP int `yaml:"streams_per_ip"`
	// Bytes a second that one end of a call may send, in at most one packet for each 400 of them and 500 more; 1500000
	// is 12 Mbit/s. What is over is lost, as on a slow line. Video calls adapt below it; raise it for screens in motion
	// at high resolution.
	CallBytesPerSecond int `yaml:"call_bytes_per_second"`
}

// DefaultConfig is what runs without a file.
func DefaultConfig() Config {
	return Config{
		Mode:               Fallback,
		Listen:             ":3480",
		FallbackAfter:      8 * time.Second,
		MaxCalls:           200,
		StreamsPerIP:       200,
		CallBytesPerSecond: 1_500_000,
	}
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var errs []error
	fault := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("relay."+key+": "+format, args...))
	}
	switch c.Mode {
	case Off, Fallback, Prefer, Always:
	default:
		fault("mode", "%q is none of off, fallback, prefer, always", c.Mode)
	}
	if _, err := splitListen(c.Listen); err != nil {
		fault("listen", "%w", err)
	}
	if _, err := parseIPs(c.PublicIP); err != nil {
		fault("public_ip", "%w", err)
	}
	if c.FallbackAfter < time.Second || c.FallbackAfter > time.Minute {
		fault("fallback_after", "%v is not between 1s and 1m", c.FallbackAfter)
	}
	if c.MaxCalls < 1 {
		fault("max_calls", "%d is not at least 1", c.MaxCalls)
	}
	if c.StreamsPerIP < 0 {
		fault("streams_per_ip", "%d is less than 0, which means no limit", c.StreamsPerIP)
	}
	if c.CallBytesPerSecond < 10_000 {
		fault("call_bytes_per_second", "%d is less than 10000, which is one voice", c.CallBytesPerSecond)
	}
	return errors.Join(errs...)
}

// splitListen reads host:port; the host is empty or an IP address, because both ports must be bound to the same place.
func splitListen(s string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not host:port", s)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q has no port between 0 and 65535", s)
	}
	addr := netip.IPv6Unspecified()
	if host != "" {
		if addr, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{}, fmt.Errorf("%q is not an IP address", host)
		}
	}
	return netip.AddrPortFrom(addr, uint16(n)), nil
}

// parseIPs reads addresses separated by commas; there is none where a STUN server is named.
func parseIPs(s string) ([]netip.Addr, error) {
	if server, err := netaddr.STUNServer(s); server != "" || err != nil {
		return nil, err
	}
	var all []netip.Addr
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		addr, err := netip.ParseAddr(part)
		if err != nil {
			return nil, fmt.Errorf("%q is not an IP address", part)
		}
		if addr.IsUnspecified() || addr.IsMulticast() {
			return nil, fmt.Errorf("%s cannot be sent to", addr)
		}
		all = append(all, addr.Unmap())
	}
	return all, nil
}
