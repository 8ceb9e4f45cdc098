package signaling

// This file holds what an operator may change, its defaults and its checks.

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"duet/signaling/join"
	"duet/signaling/protocol"
)

// Config holds the signaling rules that an operator may change.
type Config struct {
	// How long a call rings before it ends with "timeout".
	RingTimeout time.Duration `yaml:"ring_timeout"`
	// How long a session whose connection is lost waits for its client; its call goes on meanwhile. 0s switches it off.
	ResumeGrace time.Duration `yaml:"resume_grace"`
	// How long a new connection may take to join.
	JoinTimeout time.Duration `yaml:"join_timeout"`
	// Time between WebSocket pings. Keep it below the idle time-out of a proxy in front.
	PingInterval time.Duration `yaml:"ping_interval"`
	// A connection that is silent for so long is dropped. Must be longer than ping_interval.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// How long one write to a client may block before its connection, not its session, is given up.
	WriteTimeout time.Duration `yaml:"write_timeout"`
	// How often a client gets a newer session token; well below restore_window.
	SessionRenewal time.Duration `yaml:"session_renewal"`
	// How old a session token may be to bring its session and call back after a restart of the server.
	RestoreWindow time.Duration `yaml:"restore_window"`
	// How many messages are kept for a client that does not acknowledge them. What other users send is refused at half of
	// it; at the whole the client's connection is closed, and it may come back.
	OutboxMessages int `yaml:"outbox_messages"`
	// The same in bytes.
	OutboxBytes int `yaml:"outbox_bytes"`
	// Messages a second that a user may send in the long run. An address may send a hundred times as many.
	Rate float64 `yaml:"rate"`
	// Messages that a user may send at once.
	Burst int `yaml:"burst"`
	// All connections; each needs about 10 KiB and a file descriptor.
	MaxConnections int `yaml:"max_connections"`
	// Connections from one address (one /64 with IPv6). 0 means 1000, and no limit for loopback, where a proxy sits. As many
	// users again may be between two connections; of more, those end who have been away longest.
	MaxConnectionsPerIP int `yaml:"max_connections_per_ip"`
	// Least time between two user lists to a client that does not know deltas; when only a status is new 1s to 5s, by the
	// list's length.
	ListInterval time.Duration `yaml:"list_interval"`
	// Least time between two presence deltas; it grows to 125ms for each 1000 users who get them.
	PresenceInterval time.Duration `yaml:"presence_interval"`
	// Over how long the connections of a large server are spread when it ends; small ones end at once.
	DrainTime time.Duration `yaml:"drain_time"`
	// Networks (CIDR) of reverse proxies that are believed: X-Forwarded-For, or Forwarded where there is none, for the
	// client's address, X-Forwarded-Host for the host that was asked for, X-Forwarded-Proto for whether it came over TLS.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// Serves Socket.IO's clients at /socket.io/, too (socket.io-client 3 and 4, python-socketio 5).
	SocketIO bool `yaml:"socketio"`
	// Lets socket.io-client 1 and 2 in. What their pages take for their user's id is the secret of their connection, which
	// the user list would give away, unless they use WebSockets only.
	SocketIOV2 bool `yaml:"socketio_v2"`
	// The name of an echo user, for tests of clients and of one's own devices; empty: there is none. It takes every call, 20 at
	// once and each for two minutes, and gives sound and pictures back through the relay, which must not be off.
	Echo string `yaml:"echo"`
	// Who may join.
	Join join.Config `yaml:"join"`
}

// DefaultConfig is what runs without a file.
func DefaultConfig() Config {
	return Config{
		RingTimeout:      45 * time.Second,
		ResumeGrace:      30 * time.Second,
		JoinTimeout:      10 * time.Second,
		PingInterval:     15 * time.Second,
		IdleTimeout:      40 * time.Second,
		WriteTimeout:     10 * time.Second,
		SessionRenewal:   time.Minute,
		RestoreWindow:    2 * time.Minute,
		OutboxMessages:   2048,
		OutboxBytes:      1 << 20,
		Rate:             100,
		Burst:            1000,
		MaxConnections:   50000,
		ListInterval:     250 * time.Millisecond,
		PresenceInterval: 100 * time.Millisecond,
		DrainTime:        5 * time.Second,
		SocketIO:         true,
		Join:             join.DefaultConfig(),
	}
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("signaling."+format, args...))
	}
	within := func(key string, d, low, high time.Duration) {
		if d < low || d > high {
			fault("%s: %s is not within %s to %s", key, d, low, high)
		}
	}
	count := func(key string, n, low, high int) {
		if n < low || n > high {
			fault("%s: %d is not within %d to %d", key, n, low, high)
		}
	}
	const ms, day = time.Millisecond, 24 * time.Hour
	within("ring_timeout", c.RingTimeout, ms, day)
	within("resume_grace", c.ResumeGrace, 0, day)
	within("join_timeout", c.JoinTimeout, ms, day)
	within("ping_interval", c.PingInterval, 10*ms, day)
	within("idle_timeout", c.IdleTimeout, 20*ms, day)
	if c.IdleTimeout <= c.PingInterval {
		fault("idle_timeout: %s is not longer than signaling.ping_interval, %s", c.IdleTimeout, c.PingInterval)
	}
	within("write_timeout", c.WriteTimeout, 10*ms, time.Hour)
	within("session_renewal", c.SessionRenewal, 10*ms, day)
	within("restore_window", c.RestoreWindow, 0, day)
	count("outbox_messages", c.OutboxMessages, 4, 1<<20)
	count("outbox_bytes", c.OutboxBytes, 1024, 1<<30)
	if !(c.Rate > 0 && c.Rate <= 1e9) {
		fault("rate: %v is not within 0 (excluded) to 1e9", c.Rate)
	}
	count("burst", c.Burst, 1, 1<<30)
	count("max_connections", c.MaxConnections, 1, 1<<24)
	count("max_connections_per_ip", c.MaxConnectionsPerIP, 0, 1<<24)
	within("list_interval", c.ListInterval, ms, time.Minute)
	within("presence_interval", c.PresenceInterval, ms, time.Minute)
	within("drain_time", c.DrainTime, 0, 8*time.Second)
	if _, good := protocol.CleanName(c.Echo); c.Echo != "" && !good {
		fault("echo: %q is no name that a user could have", c.Echo)
	}
	for _, p := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			fault("trusted_proxies: %q is not a network such as 10.0.0.0/8", p)
		}
	}
	faults = append(faults, c.Join.Validate())
	return errors.Join(faults...)
}
