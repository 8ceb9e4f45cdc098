package signaling

// This file speaks WebSocket (RFC 6455) as far as these clients must.

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	opContinuation = 0
	opText         = 1
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// upgrade is the request that begins a WebSocket.
func upgrade(t target) []byte {
	var key [16]byte
	rand.Read(key[:])
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n",
		t.path, t.host, base64.StdEncoding.EncodeToString(key[:]))
}

// upgraded reads the answer: what follows it, or nil while it is incomplete.
func upgraded(b []byte) (rest []byte, done bool, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return nil, false, nil
	}
	if line, _, _ := bytes.Cut(b, []byte("\r\n")); !bytes.HasPrefix(line, []byte("HTTP/1.1 101")) {
		return nil, false, fmt.Errorf("the server does not speak WebSocket here: %s", line)
	}
	return b[end+4:], true, nil
}

// appendFrame adds a client's frame. The mask is zero: no proxy sits in between, and the server's work is the same.
func appendFrame(b []byte, op byte, payload []byte) []byte {
	b = append(b, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	default:
		b = append(b, 0x80|127)
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = append(b, 0, 0, 0, 0)
	return append(b, payload...)
}

var errFrame = errors.New("no frame of a server")

// readFrame takes one frame off b; size is 0 while it is incomplete.
func readFrame(b []byte) (op byte, fin bool, payload []byte, size int, err error) {
	if len(b) < 2 {
		return 0, false, nil, 0, nil
	}
	if b[0]&0x70 != 0 || b[1]&0x80 != 0 {
		return 0, false, nil, 0, errFrame
	}
	n, head := uint64(b[1]), 2
	switch {
	case n == 126 && len(b) >= 4:
		n, head = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case n == 127 && len(b) >= 10:
		n, head = binary.BigEndian.Uint64(b[2:]), 10
	case n >= 126:
		return 0, false, nil, 0, nil
	}
	if n > 1<<30 {
		return 0, false, nil, 0, fmt.Errorf("%d bytes: %w", n, errFrame)
	}
	if uint64(len(b)-head) < n {
		return 0, false, nil, 0, nil
	}
	size = head + int(n)
	return b[0] & 0x0f, b[0]&0x80 != 0, b[head:size], size, nil
}
