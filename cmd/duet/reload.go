package main

// SIGHUP: reads the configuration again and takes up what can be taken up under a running server. It ends nothing:
// service managers and log rotation send it to every program.

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"duet/configs"
	"duet/signaling"
	"duet/turn"
)

// reloader knows what runs.
type reloader struct {
	running configs.Config
	read    func() (configs.Config, error)
	level   *slog.LevelVar
	log     *slog.Logger
	live    *atomic.Pointer[live] // nil until the server is up
}

// live is what of a server takes up another configuration.
type live struct {
	hub     *signaling.Hub
	turn    *turn.Server // nil: off
	secrets state
	token   *atomic.Pointer[string] // of the API
}

// reload takes up what it can and names the other keys that have changed. Certificate files need no signal.
func (r *reloader) reload() {
	cfg, err := r.read()
	if err != nil {
		r.log.Error("the configuration has faults, nothing is changed", "error", err)
		return
	}
	for _, w := range cfg.Warnings() {
		r.log.Warn("the configuration asks for a change", "what", w)
	}
	r.level.Set(logLevel(cfg.Log))
	r.running.Log.Level = cfg.Log.Level
	if l := r.live.Load(); l != nil {
		for _, err := range []error{l.takeSignaling(&r.running, cfg), l.takeTURN(&r.running, cfg)} {
			if err != nil {
				r.log.Error("a part stays as it is", "error", err)
			}
		}
		l.takeToken(&r.running, cfg)
	}
	r.log.Info("configuration read again", "level", cfg.Log.Level)
	if keys := slices.Sorted(slices.Values(configs.Differences(r.running, cfg))); len(keys) > 0 {
		r.log.Warn("changed keys that need a restart (duet serve -replace ends no call)", "keys", strings.Join(keys, " "))
	}
}

// takeSignaling takes up whose tokens are good for joining, and how many may come.
func (l *live) takeSignaling(running *configs.Config, next configs.Config) error {
	if err := l.hub.Reload(next.Signaling); err != nil {
		return err
	}
	s, lookalikes := &running.Signaling, running.Signaling.Join.RefuseLookalikes
	s.Join, s.MaxConnections, s.MaxConnectionsPerIP = next.Signaling.Join, next.Signaling.MaxConnections, next.Signaling.MaxConnectionsPerIP
	s.Join.RefuseLookalikes = lookalikes
	return nil
}

// takeTURN changes the secret, where that ends no call: whoever has got a credential keeps it for as long as the call lasts.
func (l *live) takeTURN(running *configs.Config, next configs.Config) error {
	now, then := turnSecret(*running, l.secrets), turnSecret(next, l.secrets)
	previous := []byte(next.TURN.SecretPrevious)
	switch {
	case l.turn == nil:
		return nil
	case !bytes.Equal(now, then) && !bytes.Equal(now, previous):
		return errors.New("turn.secret: running calls use the one before: keep that as turn.secret_previous")
	}
	l.turn.UseSecrets(then, previous)
	running.TURN.Secret, running.TURN.SecretPrevious = next.TURN.Secret, next.TURN.SecretPrevious
	return nil
}

// takeToken changes the token of the API, which is on or off from the start.
func (l *live) takeToken(running *configs.Config, next configs.Config) {
	if running.HTTP.APIToken != "" && next.HTTP.APIToken != "" {
		l.token.Store(&next.HTTP.APIToken)
		running.HTTP.APIToken = next.HTTP.APIToken
	}
}
