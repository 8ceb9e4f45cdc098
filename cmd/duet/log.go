package main

// The log: what clients cause must not fill the disk, whatever they do.

import (
	"context"
	"io"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"duet/configs"
	"duet/internal/lock"
)

const (
	// logRate and logBurst are how many lines with the same message are written, a second in the long run and at once.
	logRate  = 10
	logBurst = 200
)

func newLogger(cfg configs.Log, w io.Writer) *slog.Logger {
	return loggerAt(logLevel(cfg), cfg.Format, w)
}

// loggerAt is a logger whose level may change.
func loggerAt(level slog.Leveler, format string, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(w, options)
	if format == "json" {
		h = slog.NewJSONHandler(w, options)
	}
	return slog.New(&samplingHandler{h, &samples{by: map[string]*sample{}}})
}

func logLevel(cfg configs.Log) (level slog.Level) {
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		return slog.LevelInfo // Validate has refused it before
	}
	return level
}

// samplingHandler is a handler that leaves lines out when one message comes too often. The next line of that message says how many.
type samplingHandler struct {
	slog.Handler
	samples *samples
}

// samples is what was written. Messages are constants of the code, so there are only so many.
type samples struct {
	mu lock.Mutex[lock.Leaf]
	by map[string]*sample
}

type sample struct {
	limit      *rate.Limiter
	suppressed int // lines left out since the last one
}

// pass says whether a line with this message may be written now, and how many were left out before it.
func (t *samples) pass(message string, now time.Time) (left int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.by[message]
	if s == nil {
		s = &sample{limit: rate.NewLimiter(logRate, logBurst)}
		t.by[message] = s
	}
	if !s.limit.AllowN(now, 1) {
		s.suppressed++
		return 0, false
	}
	left, s.suppressed = s.suppressed, 0
	return left, true
}

// Handle implements [slog.Handler].
func (h *samplingHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.Enabled(ctx, slog.LevelDebug) { // who asks for everything gets everything
		return h.Handler.Handle(ctx, r)
	}
	left, ok := h.samples.pass(r.Message, r.Time)
	if !ok {
		return nil
	}
	if left > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("left_out", left))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h *samplingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &samplingHandler{h.Handler.WithAttrs(attrs), h.samples}
}

// WithGroup implements [slog.Handler].
func (h *samplingHandler) WithGroup(name string) slog.Handler {
	return &samplingHandler{h.Handler.WithGroup(name), h.samples}
}
