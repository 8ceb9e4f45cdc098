package main

// What the operator reads at start: where to open the page, which address is
// announced and how it was found, and what is off.

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"

	"duet/configs"
	"duet/internal/netaddr"
	"duet/relay"
)

// listening are the open TCP ports; nil is off.
type listening struct{ plain, tls, admin net.Listener }

// reachable are the addresses of the interfaces, and those that TURN and the relay announce where the configuration names none.
type reachable struct{ own, turn, relay []netaddr.Found }

func announce(w io.Writer, cfg configs.Config, open listening, at reachable, tlsHow string) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(w, "Duet %s\n", version)
	var off []string

	for _, l := range []struct {
		scheme, standard string
		port             net.Listener
	}{{"http", "80", open.plain}, {"https", "443", open.tls}} {
		if l.port != nil {
			line("open", "%s", strings.Join(pageURLs(l.scheme, l.standard, l.port.Addr(), at.own), "  "))
		}
	}
	if open.tls == nil {
		off = append(off, "HTTPS (http.tls_listen): browsers give camera and microphone to localhost and https pages only")
	} else {
		line("TLS", "%s", tlsHow)
	}

	if cfg.TURN.Enabled {
		line("TURN", "%s, UDP and TCP; announces %s", cfg.TURN.Listen, announced(cfg.TURN.PublicIP, "turn.public_ip", at.turn))
	} else {
		off = append(off, "TURN (turn.enabled): peers behind strict NATs need it or the relay")
	}
	if cfg.Relay.Mode != relay.Off {
		with := ""
		if cfg.SharedPort() {
			with = " with TURN"
		}
		line("relay", "%s%s, mode %s, UDP and TCP; announces %s", cfg.Relay.Listen, with, cfg.Relay.Mode, announced(cfg.Relay.PublicIP, "relay.public_ip", at.relay))
	} else {
		off = append(off, "relay (relay.mode)")
	}
	if open.admin != nil {
		line("admin", "http://%s/metrics", open.admin.Addr())
	} else {
		off = append(off, "metrics (http.admin_listen)")
	}
	for _, what := range off {
		line("off", "%s", what)
	}
}

// announced is the address that clients are told, and how it was found.
func announced(configured, key string, found []netaddr.Found) string {
	if configured != "" && !strings.HasPrefix(configured, "stun:") {
		return configured + " (" + key + ")"
	}
	var all []string
	for _, f := range found {
		all = append(all, fmt.Sprintf("%s (%s)", f.Addr, f.How))
	}
	if all == nil {
		return "nothing: no address found, set " + key
	}
	return strings.Join(all, " and ")
}

// pageURLs are the addresses at which a listener's page can be opened.
func pageURLs(scheme, standard string, addr net.Addr, found []netaddr.Found) []string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return []string{addr.String()}
	}
	hosts := []string{host}
	if ip, err := netip.ParseAddr(host); err != nil || ip.IsUnspecified() {
		hosts = []string{"localhost"}
		for _, f := range found {
			if !f.Addr.IsLoopback() {
				hosts = append(hosts, f.Addr.String())
			}
		}
	}
	var urls []string
	for _, h := range hosts {
		if port == standard {
			if strings.Contains(h, ":") {
				h = "[" + h + "]"
			}
			urls = append(urls, scheme+"://"+h)
			continue
		}
		urls = append(urls, scheme+"://"+net.JoinHostPort(h, port))
	}
	return urls
}
