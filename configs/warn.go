package configs

// What works, but not as it should be left: old names of keys, and what is open or easy to guess.

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// renamed are keys under their old names, which are still taken.
var renamed = map[string]string{
	// bps is bits a second everywhere else.
	"turn.user_bps":  "turn.user_bytes_per_second",
	"turn.total_bps": "turn.total_bytes_per_second",
	"relay.call_bps": "relay.call_bytes_per_second",
}

func renamedWarning(old, now string) string {
	return fmt.Sprintf("%s is now %s: rename it, the old name will go", old, now)
}

func (c *Config) warn(text string) { c.renamed = append(c.renamed, text) }

// Warnings are what an operator should change, although the configuration is valid.
func (c Config) Warnings() []string {
	all := slices.Clone(c.renamed)
	warn := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for key, secret := range map[string]string{"turn.secret": c.TURN.Secret, "turn.secret_previous": c.TURN.SecretPrevious} {
		if c.TURN.Enabled && secret != "" && len(secret) < 32 {
			warn("%s: shorter than 32 characters; everybody who joins gets something to try guesses on", key)
		}
	}
	for name, password := range c.TURN.Users {
		if c.TURN.Enabled && len(password) < 8 {
			warn("turn.users: the password of %q has less than 8 characters", name)
		}
	}
	if c.HTTP.TLSListen != "" && !c.HTTP.Redirect && everybodyReaches(c.HTTP.Listen) {
		warn("http.redirect: off, so %s gives the page to everybody in clear and takes the API token in clear", c.HTTP.Listen)
	}
	if everybodyReaches(c.HTTP.AdminListen) {
		warn("http.admin_listen: %s is open to everybody who reaches this machine, with metrics and profiles: keep it on loopback", c.HTTP.AdminListen)
	}
	slices.Sort(all)
	return all
}

// everybodyReaches: the address is neither loopback nor in a private network.
func everybodyReaches(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host != "localhost"
	}
	addr = addr.Unmap()
	return !addr.IsLoopback() && !addr.IsPrivate() && !addr.IsLinkLocalUnicast()
}
