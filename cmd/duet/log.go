package main

// The log: what clients cause must not fill the disk, whatever they do.

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"duet/configs"
)

const (
	// logRate and logBurst are how many lines with the same message are written, a second in the long run and at once.
	logRate  = 10
	logBurst = 200
)

func newLogger(cfg configs.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		level = slog.LevelInfo // Validate has refused it before
	}
	options := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(w, options)
	if cfg.Format == "json" {
		h = slog.NewJSONHandler(w, options)
	}
	if level > slog.LevelDebug { // who asks for everything gets everything
		h = &sparing{h, &talk{by: map[string]*said{}}}
	}
	return slog.New(h)
}

// sparing is a handler that leaves lines out when one message comes too often. The next line of that message says how many.
type sparing struct {
	slog.Handler
	talk *talk
}

// talk is what was said; mu is a leaf. Messages are constants of the code, so there are only so many.
type talk struct {
	mu sync.Mutex
	by map[string]*said
}

type said struct {
	limit *rate.Limiter
	kept  int // lines left out since the last one
}

// pass says whether a line with this message may be written now, and how many were left out before it.
func (t *talk) pass(message string, now time.Time) (left int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.by[message]
	if s == nil {
		s = &said{limit: rate.NewLimiter(logRate, logBurst)}
		t.by[message] = s
	}
	if !s.limit.AllowN(now, 1) {
		s.kept++
		return 0, false
	}
	left, s.kept = s.kept, 0
	return left, true
}

// Handle implements [slog.Handler].
func (h *sparing) Handle(ctx context.Context, r slog.Record) error {
	left, ok := h.talk.pass(r.Message, r.Time)
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
func (h *sparing) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &sparing{h.Handler.WithAttrs(attrs), h.talk}
}

// WithGroup implements [slog.Handler].
func (h *sparing) WithGroup(name string) slog.Handler {
	return &sparing{h.Handler.WithGroup(name), h.talk}
}
