package turn

// This file is what signaling asks of this package.

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// ICEServers makes time-limited credentials for a user of ours. The URLs name Config.Host, else host, as which the
// client has reached this process, because that is an address which works for the client; without a usable one the
// announced address. It computes one HMAC and takes no lock.
func (s *Server) ICEServers(user, host string) (urls []string, username, credential string, expires time.Time) {
	expires = time.Now().Add(s.cfg.CredentialTTL)
	username, credential = s.credentials.issue(ownMark+user, expires)
	if s.cfg.Host != "" {
		host = s.cfg.Host
	}
	if !validHost(host) {
		host = s.policy.announced.Load().now[0].String()
	}
	host = strings.Trim(host, "[]")
	at := net.JoinHostPort(host, strconv.Itoa(int(s.port())))
	urls = []string{"stun:" + at, "turn:" + at + "?transport=udp", "turn:" + at + "?transport=tcp"}
	if s.tlsPort != 0 {
		urls = append(urls, "turns:"+net.JoinHostPort(host, strconv.Itoa(s.tlsPort))+"?transport=tcp")
	}
	return urls, username, credential, expires
}

// Credential is the TURN REST form of a secret (coturn's static-auth-secret), for other software: a username that expires
// and its password. A user of the form of Duet's own ids would be held to its call, so it is refused.
func Credential(secret []byte, user string, expires time.Time) (username, pass string, err error) {
	var c credentials
	c.use(secret, nil)
	return c.forOthers(user, expires)
}

// Credential is the same with the secret of this server.
func (s *Server) Credential(user string, expires time.Time) (username, pass string, err error) {
	return s.credentials.forOthers(user, expires)
}

// UseSecrets changes the secret that credentials are made with, and the one before, which is accepted besides.
func (s *Server) UseSecrets(secret, previous []byte) { s.credentials.use(secret, previous) }

func (c *credentials) forOthers(user string, expires time.Time) (username, pass string, err error) {
	if strings.HasPrefix(user, ownMark) || ownID(user) != "" || len(user) > 128 || !printable(user) {
		return "", "", fmt.Errorf("user %q: at most 128 printable characters, and not the form of an id of Duet's", user)
	}
	username, pass = c.issue(user, expires)
	return username, pass, nil
}

// validHost says whether host, which comes from a client, is a name or an address and nothing else.
func validHost(host string) bool {
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return a.Zone() == "" && !a.IsUnspecified()
	}
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
		}
	}
	_, err := strconv.Atoi(host) // a bare number would be read as an IPv4 address
	return err != nil
}

// CallStarted lets each of two users reach the other's relays and addresses from now on.
func (s *Server) CallStarted(call, userA, userB string) { s.callPeers.started(call, userA, userB) }

// Candidate notes an address that user says it has; anything that is no IP address is ignored. The other member may reach it
// when this returns, if the server has seen the user there itself, at its connection (Seen) or as the client of one of its
// allocations; others in a small number an hour.
func (s *Server) Candidate(call, user, ip string) {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return
	}
	// What nobody may reach need not be counted: most candidates are private.
	if addr = canonical(addr); s.policy.accessTo(netip.AddrPortFrom(addr, 0)).outside {
		s.callPeers.candidate(call, user, addr, time.Now())
	}
}

// Seen notes the address from which user's connection comes. The other member may reach it when this returns.
func (s *Server) Seen(call, user, ip string) {
	if addr, err := netip.ParseAddr(ip); err == nil {
		s.callPeers.connected(call, user, canonical(addr))
	}
}

// CallEnded takes back what CallStarted, Candidate and Seen gave: the next packet does not pass.
func (s *Server) CallEnded(call string) { s.callPeers.ended(call) }
