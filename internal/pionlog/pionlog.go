// Package pionlog lets pion's libraries log through slog.
//
// Type: Factory, a value that makes a logger for each of pion's scopes. No goroutines, no locks.
//
// What a library calls an error is here at most a warning: it concerns one peer, and the operator need not act. The
// formatted lines hold addresses of peers but neither keys nor session descriptions; trace lines, which do, are left out.
package pionlog

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// Factory makes pion's loggers. The zero value is not usable; see New.
type Factory struct{ log *slog.Logger }

// New writes to log. A nil log discards everything.
func New(log *slog.Logger) Factory {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return Factory{log}
}

// NewLogger implements logging.LoggerFactory.
func (f Factory) NewLogger(scope string) logging.LeveledLogger {
	return logger{f.log.With("scope", scope)}
}

type logger struct{ log *slog.Logger }

// Lines of libraries are details of one connection: errors warn, all else is for debugging.
func (l logger) line(level slog.Level, text string) {
	l.log.Log(context.Background(), level, "pion", "text", text)
}

func (l logger) linef(level slog.Level, format string, args []any) {
	if l.log.Enabled(context.Background(), level) {
		l.line(level, fmt.Sprintf(format, args...))
	}
}

func (l logger) Trace(string)                      {}
func (l logger) Tracef(string, ...any)             {}
func (l logger) Debug(string)                      {}
func (l logger) Debugf(string, ...any)             {}
func (l logger) Info(text string)                  { l.line(slog.LevelDebug, text) }
func (l logger) Infof(format string, args ...any)  { l.linef(slog.LevelDebug, format, args) }
func (l logger) Warn(text string)                  { l.line(slog.LevelDebug, text) }
func (l logger) Warnf(format string, args ...any)  { l.linef(slog.LevelDebug, format, args) }
func (l logger) Error(text string)                 { l.line(slog.LevelWarn, text) }
func (l logger) Errorf(format string, args ...any) { l.linef(slog.LevelWarn, format, args) }
