package main

// The addresses under which this machine is reached, at the start and later.

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"duet/configs"
	"duet/internal/netaddr"
)

// followEvery is how often it is looked whether addresses have changed. A STUN server gets two packets each time.
const followEvery = 10 * time.Second

// source is where addresses are found if the key names none. It was validated with the configuration.
func source(configured string) netaddr.Source {
	server, _ := netaddr.STUNServer(configured)
	return netaddr.Source(server)
}

// publicIPs are announced where key names no address: the STUN server's answer if it names one, else what the interfaces have.
func publicIPs(ctx context.Context, key, configured string) ([]netaddr.Found, error) {
	found, err := source(configured).Find(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return found, nil
}

// follow tells TURN and the relay when the addresses change that were found at the start.
func (m mediaParts) follow(p *parts, cfg configs.Config, turnIPs, relayIPs []netaddr.Found, log *slog.Logger) {
	if m.turn != nil && !slices.ContainsFunc(m.turn.Announced(), netip.Addr.Is4) {
		log.Warn("TURN announces no IPv4 address: nobody without IPv6 can be reached through it", "key", "turn.public_ip")
	}
	add := func(configured string, before []netaddr.Found, changed func([]netaddr.Found)) {
		p.add(func(ctx context.Context) error {
			source(configured).Follow(ctx, followEvery, before, changed, log)
			return nil
		})
	}
	if cfg.TURN.PublicIP == cfg.Relay.PublicIP {
		add(cfg.TURN.PublicIP, turnIPs, func(found []netaddr.Found) {
			m.turnIs(found)
			m.relayIs(found)
		})
		return
	}
	add(cfg.TURN.PublicIP, turnIPs, m.turnIs)
	add(cfg.Relay.PublicIP, relayIPs, m.relayIs)
}

// turnIs says at which addresses TURN is reached now.
func (m mediaParts) turnIs(found []netaddr.Found) {
	if m.turn != nil {
		m.turn.SetPublicIPs(addrs(found))
	}
}

// relayIs says the same of the relay, to TURN as well, which lets users in a call through to it.
func (m mediaParts) relayIs(found []netaddr.Found) {
	if m.relay == nil {
		return
	}
	m.relay.SetPublicIPs(addrs(found))
	if m.turn != nil {
		m.turn.SetMediaRelay(m.relay.Reachable())
	}
}
