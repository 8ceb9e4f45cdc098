//go:build !unix

package main

// This file stands in where a port cannot be handed from one process to the next: a rolling update is refused.

import (
	"context"
	"errors"
	"log/slog"
	"net"
)

func shared(addr string, _ bool) (net.Listener, error) { return net.Listen("tcp", addr) }

type pidFile struct{}

func (*pidFile) Close() error { return nil }

func takeOver(_ context.Context, _ string, replace bool, _ *slog.Logger) (*pidFile, error) {
	if replace {
		return nil, errors.New("-replace is not to be had on this system: end the other process first")
	}
	return nil, nil
}

func second[T any](_ T, err error) error { return err }
