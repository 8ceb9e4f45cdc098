package main

// The state file: secrets made at the first start and kept, so that a restart
// leaves credentials and sessions valid.

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// state is what state.json holds; both are 32 random bytes.
type state struct {
	TURNSecret []byte `json:"turnSecret"`
	SessionKey []byte `json:"sessionKey"`
}

const secretSize = 32

// stateDir is the configured directory or the customary one; "" when there is none.
func stateDir(configured string, environ []string) string {
	if configured != "" {
		return configured
	}
	// systemd's StateDirectory=, which may name several; the first is ours.
	if dir, _, _ := strings.Cut(lookup(environ, "STATE_DIRECTORY"), ":"); dir != "" {
		return dir
	}
	if dir := lookup(environ, "XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "duet")
	}
	if home := lookup(environ, "HOME"); home != "" {
		return filepath.Join(home, ".local", "state", "duet")
	}
	return ""
}

// loadState reads dir's state file and makes it when there is none. A file that
// cannot be written is a warning: the server runs, but a restart ends sessions.
// A file that cannot be understood is an error: nothing is overwritten.
func loadState(dir string, log *slog.Logger) (state, error) {
	fresh := state{TURNSecret: make([]byte, secretSize), SessionKey: make([]byte, secretSize)}
	rand.Read(fresh.TURNSecret) // never fails
	rand.Read(fresh.SessionKey)
	if dir == "" {
		log.Warn("no place for the state, a restart will end sessions: set state_dir")
		return fresh, nil
	}
	path := filepath.Join(dir, "state.json")
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := writeState(path, fresh); err != nil {
			log.Warn("state not kept, a restart will end sessions: make state_dir writable", "error", err)
		}
		return fresh, nil
	case err != nil:
		return state{}, fmt.Errorf("read the state: %w", err)
	}
	var kept state
	if err := json.Unmarshal(data, &kept); err != nil || len(kept.TURNSecret) != secretSize || len(kept.SessionKey) != secretSize {
		return state{}, fmt.Errorf("state file %s is damaged: restore it, or delete it to begin with new secrets", path)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		log.Warn("the state file holds secrets and others may read it: chmod 600", "path", path, "mode", info.Mode().Perm().String())
	}
	return kept, nil
}

// writeState puts the file in place whole or not at all.
func writeState(path string, s state) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".state-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails, as it should, once renamed
	_, err = f.Write(append(data, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
