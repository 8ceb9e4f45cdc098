package main

// SIGHUP: reads the configuration again and takes up what can be taken up under a running server. It ends nothing:
// service managers and log rotation send it to every program.

import (
	"log/slog"
	"slices"
	"strings"

	"duet/configs"
)

// reloader knows what runs.
type reloader struct {
	running configs.Config
	read    func() (configs.Config, error)
	level   *slog.LevelVar
	log     *slog.Logger
}

// reload takes up log.level and names the other keys that have changed. Certificate files need no signal.
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
	r.log.Info("configuration read again", "level", cfg.Log.Level)
	if keys := slices.Sorted(slices.Values(configs.Differences(r.running, cfg))); len(keys) > 0 {
		r.log.Warn("changed keys that need a restart (duet serve -replace ends no call)", "keys", strings.Join(keys, " "))
	}
}
